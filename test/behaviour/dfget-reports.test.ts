import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../support/config.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';

const MIB = 1024 * 1024;
type JsonEvent = Record<string, unknown> & { v: number; event: string };

describe('what dfget tells', function () {
  this.timeout(90_000);
  const shared = useSharedDirectory();
  const directory = useTemporaryDirectory();
  let origin: Origin | undefined;
  let plain: DaemonProcess;
  const daemons: DaemonProcess[] = [];

  before(async () => {
    plain = await DaemonProcess.start(join(shared(), 'plain'));
  });

  after(() => plain.end());

  async function startDaemon(name: string, args: string[], config: Config = {}): Promise<DaemonProcess> {
    const scheduler = args.length === 0 ? {} : { scheduler: { embedded: { enable: false } } };
    const daemon = await DaemonProcess.start(join(directory(), name), { ...scheduler, ...config }, { args });
    daemons.push(daemon);
    return daemon;
  }

  async function start(
    content: number,
    config?: Config,
  ): Promise<{ origin: Origin; daemon: DaemonProcess; output: string }> {
    origin = await Origin.start(content);
    const daemon = config === undefined ? plain : await startDaemon('a', [], config);
    await mkdir(join(directory(), 'out'));
    return { origin, daemon, output: join(directory(), 'out', 'file') };
  }

  afterEach(async () => {
    await Promise.all(daemons.splice(0).map((daemon) => daemon.end()));
    await origin?.close();
    origin = undefined;
  });

  const eventsOf = (text: string): JsonEvent[] =>
    text.trimEnd().split('\n').map((line) => JSON.parse(line) as JsonEvent); // prettier-ignore

  it('is one JSON line per event with --json, and nothing else', async () => {
    const { origin, daemon, output } = await start(9 * MIB);
    const url = `${origin.url()}?token=hunter2`;
    const { code, stdout, stderr } = await daemon.dfget(url, '-O', output, '--json');
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    assert.doesNotMatch(stdout, /hunter2/);
    const events = eventsOf(stdout);
    assert.ok(events.every(({ v, time }) => v === 1 && !Number.isNaN(Date.parse(String(time)))));
    const names = events.map(({ event }) => event).filter((event) => event !== 'progress');
    assert.deepEqual(names, ['begin', 'done', 'end']);
    const done = events.find(({ event }) => event === 'done');
    assert.ok(done !== undefined);
    const { index, bytes, contentLength, bytesBySource, sources, outputMethod, originReason } = done;
    assert.deepEqual([index, bytes, contentLength, outputMethod], [0, 9 * MIB, 9 * MIB, 'hard-link']);
    assert.equal(done.output, output);
    assert.deepEqual(bytesBySource, { origin: 9 * MIB, peers: 0, local: 0 });
    const [only, ...others] = sources as Record<string, unknown>[];
    assert.deepEqual([only?.kind, only?.bytes, only?.pieces, others], ['origin', 9 * MIB, 3, []]);
    assert.equal(typeof originReason, 'string');
    assert.ok(Number(done.firstByteMs) <= Number(done.elapsedMs));
    assert.deepEqual(
      { ...events.at(-1), time: '' },
      { v: 1, event: 'end', time: '', files: 1, failed: 0, exitCode: 0, interrupted: false },
    );
  });

  it('counts as the origin’s what an origin gave that told no length, and as local what is there the next time', async () => {
    const { origin, daemon, output } = await start(9 * MIB);
    origin.behaviour = { hidesLength: true };
    const local = await daemon.metric('dragonfly_client_download_traffic', { type: 'LOCAL_PEER' });
    const first = await daemon.dfget(origin.url(), '-O', output, '--json');
    assert.equal(first.code, 0, first.stderr);
    const bytesBySource = (stdout: string): unknown =>
      eventsOf(stdout).find(({ event }) => event === 'done')?.bytesBySource;
    assert.deepEqual(bytesBySource(first.stdout), { origin: 9 * MIB, peers: 0, local: 0 });
    assert.equal(await daemon.metric('dragonfly_client_download_traffic', { type: 'LOCAL_PEER' }), local);
    const again = await daemon.dfget(origin.url(), '-O', `${output}2`, '--json');
    assert.deepEqual(bytesBySource(again.stdout), { origin: 0, peers: 0, local: 9 * MIB });
  });

  for (const hidesLength of [false, true])
    it(`tells what is on its way within a piece, of a content ${hidesLength ? 'without' : 'with'} a length`, async () => {
      const size = 3 * MIB;
      const { origin, daemon, output } = await start(size);
      Object.assign(origin.behaviour, { hidesLength, bytesPerSecond: 1.5 * MIB });
      const { code, stdout, stderr } = await daemon.dfget(origin.url(), '-O', output, '--json');
      assert.equal(code, 0, stderr);
      const progress = eventsOf(stdout).filter(({ event }) => event === 'progress');
      const partial = progress.filter(({ bytes }) => Number(bytes) > 0 && Number(bytes) < size);
      assert.ok(partial.length >= 2, stdout);
      const length = hidesLength ? undefined : size;
      for (const { contentLength, wantedBytes, bytes, bytesBySource } of partial) {
        assert.deepEqual([contentLength, wantedBytes], [length, length]);
        assert.deepEqual(bytesBySource, { origin: bytes, peers: 0, local: 0 });
      }
    });

  it('goes to stderr as JSON when the content goes to stdout', async () => {
    const { origin, daemon } = await start(1000);
    const { code, stdout, stderr } = await daemon.dfget(origin.url(), '-O', '-', '--json');
    assert.equal(code, 0, stderr);
    assert.equal(stdout.length > 0, true);
    assert.deepEqual(
      eventsOf(stderr)
        .map(({ event }) => event)
        .filter((event) => event !== 'progress'),
      ['begin', 'done', 'end'],
    );
    assert.equal(eventsOf(stderr).find(({ event }) => event === 'done')?.outputMethod, 'stdout');
  });

  it('tells that dfget wrote the output where the daemon did not', async () => {
    const { origin, daemon, output } = await start(1000);
    const flags = ['--transfer-from-dfdaemon', '--explain', '--no-progress'];
    const { code, stderr } = await daemon.dfget(origin.url(), '-O', output, ...flags);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^output: written by dfget, as the daemon sent the bytes through its socket$/m);
  });

  it('names code, kind and exit status of a failure', async () => {
    const { origin, daemon, output } = await start(1000);
    origin.behaviour = { status: 404 };
    const { code, stdout, stderr } = await daemon.dfget(origin.url(), '-O', output, '--json');
    assert.equal(code, 3);
    assert.equal(stderr, '');
    const [, failed, end] = eventsOf(stdout);
    assert.deepEqual(
      [failed?.event, failed?.code, failed?.kind, failed?.exitCode],
      ['failed', 'DFP_ORIGIN_STATUS', 'origin', 3],
    );
    assert.match(String(failed?.message), /404/);
    assert.deepEqual([end?.event, end?.failed, end?.exitCode], ['end', 1, 3]);
  });

  it('says with --explain where bytes came from, why, and how the output was made', async () => {
    const { origin, daemon, output } = await start(9 * MIB);
    const first = await daemon.dfget(origin.url(), '-O', output, '--explain', '--no-progress');
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /^task [0-9a-f]{64}$/m);
    assert.match(first.stderr, /^bytes: peers 0 B \(0%\), origin 9\.0 MiB \(100%\), local 0 B \(0%\)$/m);
    assert.match(first.stderr, /^ {2}origin: 9\.0 MiB in 3 pieces, [\d.]+ .?i?B\/s a piece$/m);
    assert.match(first.stderr, /^why the origin: \S.+$/m);
    assert.match(first.stderr, /^first byte: after \d+ ms$/m);
    assert.match(first.stderr, /^output: a hard link to the stored file: no byte was copied$/m);
    const again = await daemon.dfget(origin.url(), '-O', `${output}2`, '--explain');
    assert.match(again.stderr, /^local: 9\.0 MiB were stored on this host already$/m);
    assert.doesNotMatch(again.stderr, /why the origin|first byte/);
  });

  it('names the hosts of the parents with --explain', async () => {
    const { origin, daemon: a, output } = await start(9 * MIB);
    assert.equal((await a.dfget(origin.url(), '-O', output)).code, 0);
    const b = await startDaemon('b', ['--scheduler', `127.0.0.1:${a.ports.scheduler ?? 0}`]);
    const { code, stderr } = await b.dfget(origin.url(), '-O', `${output}-b`, '--explain');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^bytes: peers 9\.0 MiB \(100%\), origin 0 B \(0%\)/m);
    assert.match(stderr, /^ {2}127\.0\.0\.1-host-\w+: 9\.0 MiB in 3 pieces, .*\/s a piece$/m);
    assert.match(
      stderr,
      process.platform === 'linux' ? /^ {4}over http, sendfile \(unthrottled\)$/m : /^ {4}over http, copy/m,
    );
    assert.doesNotMatch(stderr, /why the origin/);
  });

  it('tells the route of a parent with a limit, and why', async () => {
    const { origin, daemon: a, output } = await start(5 * MIB, { upload: { bandwidthLimit: '100MiB' } });
    assert.equal((await a.dfget(origin.url(), '-O', output)).code, 0);
    const b = await startDaemon('b', ['--scheduler', `127.0.0.1:${a.ports.scheduler ?? 0}`]);
    const { code, stdout, stderr } = await b.dfget(origin.url(), '-O', `${output}-b`, '--json');
    assert.equal(code, 0, stderr);
    const [parent] = (eventsOf(stdout).find(({ event }) => event === 'done')?.sources ?? []) as Record<
      string,
      unknown
    >[];
    assert.deepEqual(parent?.carried, [{ protocol: 'http', route: 'copy', reason: 'limited', bytes: 5 * MIB }]);
  });

  it('has a line for each URL of a list, and the highest exit status', async () => {
    const { origin, daemon } = await start(5 * MIB);
    const out = join(directory(), 'out');
    const list = join(directory(), 'urls');
    await writeFile(list, `# three\n${origin.url('/a')}\n${origin.url('/b')} named\n${origin.url('/c')}\n`);
    const good = await daemon.dfget('-i', list, '-O', out, '-j', '2');
    assert.equal(good.code, 0, good.stderr);
    const lines = good.stderr.trimEnd().split('\n');
    assert.equal(lines.length, 4, good.stderr);
    assert.match(lines.at(-1) ?? '', /^3 files: 15\.0 MiB in .* \(origin 100%\)$/);
    assert.deepEqual((await readdir(out)).sort(), ['a', 'c', 'named']);
    for (const name of ['a', 'c', 'named']) assert.ok((await readFile(join(out, name))).equals(origin.content));
    await writeFile(join(out, 'e'), 'precious');
    await writeFile(list, `${origin.url('/e')}\nhttp://127.0.0.1:1/refused\n${origin.url('/d')}\n`);
    const mixed = await daemon.dfget('-i', list, '-O', out, '--no-progress');
    assert.equal(mixed.code, 3, mixed.stderr);
    assert.match(mixed.stderr, /e: .*exists already.* \[DFP_OUTPUT_EXISTS\]$/m);
    assert.match(mixed.stderr, /refused: .* \[DFP_ORIGIN_UNREACHABLE\]$/m);
    assert.match(mixed.stderr, /^dfget: 2 of 3 downloads failed$/m);
    assert.ok((await readFile(join(out, 'd'))).equals(origin.content));
  });

  it('writes no control sequence where stderr is no terminal', async () => {
    const { origin, daemon, output } = await start(9 * MIB);
    origin.behaviour = { bytesPerSecond: 9 * MIB };
    const { code, stdout, stderr } = await daemon.dfget(origin.url(), '-O', output);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '');
    assert.ok(!stderr.includes('\u001b') && !stderr.includes('\r'), JSON.stringify(stderr));
  });

  it('sends what a netrc file has for the host', async () => {
    const { origin, daemon, output } = await start(1000);
    const netrc = join(directory(), 'netrc');
    await writeFile(netrc, 'machine 127.0.0.1 login me password secret\n');
    const { code, stderr } = await daemon.dfget(origin.url(), '-O', output, '--netrc-file', netrc);
    assert.equal(code, 0, stderr);
    const credentials = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    assert.ok(origin.requests.length > 0);
    for (const { authorization } of origin.requests) assert.equal(authorization, credentials);
  });
});
