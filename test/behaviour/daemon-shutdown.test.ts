import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readSocketNote } from '../../src/peer/socket-note.js';
import { DaemonProcess, DFGET } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

interface Running {
  child: ChildProcess;
  stderr: () => string;
  closed: Promise<[number | null, NodeJS.Signals | null]>;
}

describe('a daemon that is shutting down while it still downloads', function () {
  this.timeout(120_000);
  const directory = useTemporaryDirectory();
  let [endless, origin]: Origin[] = [];
  let daemon: DaemonProcess;
  let first: Running;
  let out = '';

  beforeEach(async () => {
    out = join(directory(), 'out');
    await mkdir(out);
    endless = await Origin.start(20 * MIB, { silentAfterBytes: 5 * MIB });
    origin = await Origin.start(1000);
    daemon = await DaemonProcess.start(join(directory(), 'daemon'));
    first = get(endless, '-O', join(out, 'first'), '-e', daemon.socketPath);
    await until('some content to come', async () => (endless?.contentBytes ?? 0) > 2 * MIB);
    daemon.signal('SIGTERM');
    await until('the drain to begin', async () => daemon.output.some((line) => line.includes('"stopping"')));
  });

  afterEach(async () => {
    first.child.kill('SIGKILL');
    await daemon.end('SIGKILL');
    await endless?.close();
    await origin?.close();
  });

  function get(from: Origin | undefined, ...args: string[]): Running {
    const child = spawn(process.execPath, [DFGET, from?.url() ?? '', '--no-progress', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, DFPEER_HOME: daemon.directory, DFPEER_ALIVE_TIME: '5s' },
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    return { child, stderr: () => stderr, closed };
  }

  const untilWaiting = ({ stderr }: Running): Promise<void> =>
    until('dfget to wait', async () => stderr().includes('the daemon is shutting down; waiting for its end'));

  it('is waited for by dfget, which goes on with the one that comes next', async () => {
    const waiting = get(origin, '-O', join(out, 'file'), '-e', daemon.socketPath);
    await untilWaiting(waiting);
    first.child.kill('SIGTERM');
    assert.equal(await daemon.ended(), 0);
    await daemon.restart();
    const [code] = await waiting.closed;
    assert.equal(code, 0, waiting.stderr());
    assert.ok((await readFile(join(out, 'file'))).equals(origin?.content ?? Buffer.alloc(0)));
    assert.equal(waiting.stderr().split('\n').length, 2, waiting.stderr());
  });

  it('is followed by one that dfget starts', async () => {
    const waiting = get(origin, '-O', join(out, 'file'));
    await untilWaiting(waiting);
    first.child.kill('SIGTERM');
    const [code] = await waiting.closed;
    assert.equal(code, 0, waiting.stderr());
    assert.match(waiting.stderr(), /starting one in the background/);
    const note = await readSocketNote(join(daemon.directory, 'store', 'dfpeer'));
    assert.ok(note !== undefined);
    process.kill(note.pid, 'SIGTERM');
    await until('its end', async () => !existsSync(note.socketPath));
  });

  it('is waited for until Ctrl-C, or until --timeout', async () => {
    const [interrupted, late] = [
      get(origin, '-O', join(out, 'file')),
      get(origin, '-O', join(out, 'late'), '--timeout', '3s'),
    ];
    await untilWaiting(interrupted);
    interrupted.child.kill('SIGINT');
    assert.deepEqual(await interrupted.closed, [130, null]);
    assert.deepEqual(await late.closed, [4, null]);
    assert.match(late.stderr(), /DFP_DEADLINE/);
    assert.deepEqual(
      (await readdir(out)).filter((name) => name !== 'first'),
      [],
    );
  });

  it('ends at once by the next signal, whichever it is', async () => {
    assert.equal(await daemon.end('SIGINT'), 'SIGINT');
  });
});
