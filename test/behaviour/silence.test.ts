import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ScriptedScheduler } from '../scheduler-client/support/scripted-scheduler.js';
import { LyingProgram } from '../soak/lying-program.js';
import { SoakFile } from '../soak/soak-file.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { DeafPort } from '../support/deaf-port.js';
import { Origin } from '../support/origin.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { useEnds } from '../support/use-ends.js';

const MIB = 1024 * 1024;
const SIZE = 32 * MIB;
/** Slow enough that the time of a download is that of its bytes: 4 s. */
const ORIGIN_RATE = 8 * MIB;
/** A scheduler's deadline is 10 s, that of a silent piece 30 s: waiting for either costs more. */
const MAX_SLOWDOWN = 2.5;

/** The origin steps in for whoever says nothing. */
describe('a download among the silent', function () {
  this.timeout(120_000);
  const shared = useSharedDirectory();
  const directory = useTemporaryDirectory();
  const ends = useEnds();
  let aloneMs = 0;

  before(async () => {
    aloneMs = await timeOf(await startDaemon('alone', undefined, shared()), await startOrigin());
    await ends.endAll();
  });

  async function startOrigin(behaviour: { ignoresRange?: boolean } = {}): Promise<Origin> {
    const origin = await Origin.start(SIZE, { bytesPerSecond: ORIGIN_RATE, ...behaviour });
    ends.push(() => origin.close());
    return origin;
  }

  async function startDaemon(
    name: string,
    scheduler: string | undefined,
    parent = directory(),
  ): Promise<DaemonProcess> {
    const addrs = scheduler === undefined ? [] : [scheduler];
    const daemon = await DaemonProcess.start(join(parent, name), {
      host: { hostname: name },
      scheduler: { addrs, embedded: { enable: false } },
    });
    ends.push(() => daemon.end());
    return daemon;
  }

  /** A scheduler that knows every host, and has no answer for any download. */
  async function startSilentScheduler(): Promise<string> {
    const scheduler = await ScriptedScheduler.start(() => new Promise(() => undefined));
    ends.push(() => scheduler.kill());
    return scheduler.address;
  }

  async function timeOf(daemon: DaemonProcess, origin: Origin): Promise<number> {
    const output = join(daemon.directory, 'output');
    const startedMs = performance.now();
    const { code, stderr } = await daemon.dfget(origin.url(), '-O', output, '--overwrite', '--no-progress');
    assert.equal(code, 0, stderr);
    const tookMs = performance.now() - startedMs;
    assert.ok((await readFile(output)).equals(origin.content));
    return tookMs;
  }

  for (const ignoresRange of [false, true])
    it(`does not wait for a scheduler that has no answer${ignoresRange ? ', nor where the origin takes no ranges' : ''}`, async () => {
      const origin = await startOrigin({ ignoresRange });
      const tookMs = await timeOf(await startDaemon('waiting', await startSilentScheduler()), origin);
      assert.ok(tookMs < MAX_SLOWDOWN * aloneMs, `${tookMs} ms instead of ${aloneMs} ms`);
      assert.equal(origin.contentBytes, SIZE, 'each byte comes from the origin once');
    });

  it('does not wait for a parent that takes connections and sends nothing', async () => {
    const parent = await DaemonProcess.start(join(directory(), 'scheduler'));
    ends.push(() => parent.end());
    const scheduler = `127.0.0.1:${parent.ports.scheduler ?? 0}`;
    const silent = await startDaemon('silent', scheduler);
    const child = await startDaemon('child', scheduler);
    const origin = await startOrigin();
    origin.behaviour = {};
    await timeOf(silent, origin);
    origin.behaviour = { bytesPerSecond: ORIGIN_RATE };
    silent.signal('SIGSTOP');
    ends.push(() => silent.signal('SIGCONT'));
    const tookMs = await timeOf(child, origin);
    assert.ok(tookMs < MAX_SLOWDOWN * aloneMs, `${tookMs} ms instead of ${aloneMs} ms`);
    assert.equal(await child.metric('dragonfly_client_download_traffic', { type: 'BACK_TO_SOURCE' }), SIZE);
  });

  it('says that a parent was slow where the origin gives the rest', async () => {
    const parent = await DaemonProcess.start(join(directory(), 'parent'), { upload: { bandwidthLimit: '1MiB' } });
    ends.push(() => parent.end());
    const scheduler = { addrs: [`127.0.0.1:${parent.ports.scheduler ?? 0}`], embedded: { enable: false } };
    const child = await DaemonProcess.start(join(directory(), 'child'), { download: { idleTimeout: '2s' }, scheduler });
    ends.push(() => child.end());
    const origin = await Origin.start(8 * MIB);
    ends.push(() => origin.close());
    await timeOf(parent, origin);
    const output = join(directory(), 'output');
    const { stderr } = await child.dfget(origin.url(), '-O', output, '--no-progress', '--explain');
    assert.match(stderr, /^why the origin: a parent was slow$/m);
  });

  it('waits once for a parent that speaks, and whose pieces nobody can get through to', async () => {
    const child = await DaemonProcess.start(join(directory(), 'child'));
    ends.push(() => child.end());
    const deaf = await DeafPort.open();
    ends.push(() => deaf.close());
    const seed = 7;
    const files = ['first', 'second'].map((name) => new SoakFile(name, SIZE, seed));
    const origins = await Promise.all(files.map((file) => Origin.start(file.bytes({ offset: 0, length: SIZE }))));
    for (const origin of origins) ends.push(() => origin.close());
    const parent = await LyingProgram.start({
      ...{ hostname: 'parent', scheduler: `127.0.0.1:${child.ports.scheduler ?? 0}`, seed, piecePort: deaf.port },
      files: files.map(({ name, size }, index) => ({ name, size, url: origins[index]?.url() ?? '' })),
    });
    ends.push(() => parent.kill());
    await until('the parent to be known', async () => child.output.some((line) => line.includes('127.0.0.1-parent')));
    const reasons: string[] = [];
    for (const origin of origins) {
      const output = join(directory(), `output ${reasons.length}`);
      const { code, stderr } = await child.dfget(origin.url(), '-O', output, '--no-progress', '--explain');
      assert.equal(code, 0, stderr);
      assert.ok((await readFile(output)).equals(origin.content));
      reasons.push(/^why the origin: (.*)$/m.exec(stderr)?.[1] ?? '');
    }
    assert.match(reasons[0] ?? '', /^cannot connect to parent .*; then the scheduler says: /);
    assert.equal(reasons[1], 'the parents are silent (nobody here got through to their pieces lately)');
  });

  it('takes nothing from an origin that it may not use', async () => {
    const origin = await startOrigin();
    const daemon = await startDaemon('waiting', await startSilentScheduler());
    const flags = ['--disable-back-to-source', '--timeout', '2s', '--no-progress'];
    const { code } = await daemon.dfget(origin.url(), '-O', join(directory(), 'output'), ...flags);
    assert.notEqual(code, 0);
    assert.equal(origin.contentBytes, 0);
  });
});
