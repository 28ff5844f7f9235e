import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isListening } from '../../src/cli/daemon-connection.js';
import { DaemonProcess, DFDAEMON, run, type ProcessResult } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');

describe('messages that can not be written', function () {
  this.timeout(60_000);
  const shared = useSharedDirectory();
  const directory = useTemporaryDirectory();
  let origin: Origin;
  let daemon: DaemonProcess;

  before(async function () {
    if (!(await stat('/dev/full').catch(() => undefined))) return this.skip();
    origin = await Origin.start(100_000);
    daemon = await DaemonProcess.start(join(shared(), 'daemon'));
  });

  after(async () => {
    await daemon.end();
    await origin.close();
  });

  /** `line` is a shell's; $dfget, $url and $out are set. Its last words are the exit code. */
  function shell(line: string): Promise<ProcessResult> {
    const dfget = `${process.execPath} ${join(ROOT, 'bin', 'dfget')} --endpoint ${daemon.socketPath}`;
    return run('sh', ['-c', line], { dfget, url: origin.url(), out: join(directory(), 'file') });
  }

  for (const [name, line] of [
    ['closed stderr', 'exec 3>&1; { $dfget $url -O $out --explain 2>&1 >/dev/null; echo $? >&3; } | true'],
    ['a full disk on stderr', '$dfget $url -O $out --explain 2>/dev/full; echo $?'],
    ['closed stdout', '{ $dfget --json $url -O $out; echo $? >&2; } | true'],
    ['a full disk on stdout', '$dfget --json $url -O $out >/dev/full; echo $?'],
  ] as const)
    it(`end no download: ${name}`, async () => {
      const { stdout, stderr } = await shell(line);
      assert.equal(`${stdout}${stderr}`.trim(), '0');
      assert.ok((await readFile(join(directory(), 'file'))).equals(origin.content));
    });

  for (const flag of ['--help', '--completions bash', '--version'])
    it(`are no failure when nobody reads them: ${flag}`, async () => {
      const { stderr } = await shell(`{ sleep 0.3; $dfget ${flag}; echo $? >&2; } | true`);
      assert.equal(stderr.trim(), '0');
    });

  for (const [name, line] of [
    ['a full stdout', '$dfget $url -O - >/dev/full'],
    ['completions on a full disk', '$dfget --completions bash >/dev/full'],
    ['no temporary directory', 'TMPDIR=/nonexistent $dfget $url -O -'],
  ] as const)
    it(`are no content, which ends in an output error: ${name}`, async () => {
      const { code, stderr } = await shell(line);
      assert.match(stderr, /DFP_OUTPUT_IO/);
      assert.equal(code, 5);
    });

  it('end no daemon, whose log is on a full disk too', async () => {
    await daemon.writeConfig({
      storage: { dir: join(directory(), 'store') },
      download: { server: { socketPath: join(directory(), 'sock') } },
    });
    const socket = join(directory(), 'sock');
    const command = `exec ${process.execPath} ${DFDAEMON} -c ${join(daemon.directory, 'dfdaemon.yaml')} --console >/dev/full 2>/dev/full`;
    const child = spawn('sh', ['-c', command], { stdio: 'ignore', env: { ...process.env, DFPEER_HOME: directory() } });
    await until('an answer', () => isListening(socket));
    const { code, stderr } = await run(join(ROOT, 'bin', 'dfget'), [
      '-e',
      socket,
      origin.url(),
      '-O',
      join(directory(), 'f'),
    ]);
    assert.equal(code, 0, stderr);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});
