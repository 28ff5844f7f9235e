import assert from 'node:assert/strict';
import { chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { computeTaskId } from '../../src/core/task-id.js';
import { DaemonProcess, dfget } from '../support/daemon-process.js';
import { downloadTask } from '../support/download-task.js';
import { Origin } from '../support/origin.js';
import { skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const STRANGER_UID = 65534;

describe('a data directory that somebody has prepared', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  const trap = (): string => join(directory(), 'trap');
  const store = (): string => join(directory(), 'd', 'store', 'dfpeer');

  beforeEach(async () => {
    await mkdir(trap(), { mode: 0o700 });
    await mkdir(join(directory(), 'd', 'store'), { recursive: true });
  });

  const start = (): Promise<DaemonProcess> => DaemonProcess.start(join(directory(), 'd'));
  const nothingInTheTrap = async (): Promise<void> => assert.deepEqual(await readdir(trap()), []);

  it('is refused when it is a symbolic link', async () => {
    await symlink(trap(), store());
    await assert.rejects(start(), /DFP_STORE_UNTRUSTED/);
    await nothingInTheTrap();
  });

  it('is refused when it is a file', async () => {
    await writeFile(store(), 'no directory');
    await assert.rejects(start(), /DFP_STORE_/);
  });

  it('is refused when it belongs to somebody else', async function () {
    if (process.getuid?.() !== 0) skipLoudly(this, 'giving a directory away needs root');
    await mkdir(store(), { mode: 0o700 });
    await chown(store(), STRANGER_UID, STRANGER_UID);
    await assert.rejects(start(), /DFP_STORE_UNTRUSTED/);
  });

  it('is closed to others although it was open', async () => {
    await mkdir(store(), { mode: 0o777 });
    const daemon = await start();
    assert.equal((await stat(store())).mode & 0o777, 0o700);
    assert.equal(await daemon.end(), 0);
  });

  it('does not lead elsewhere by links inside', async () => {
    const origin = await Origin.start(1000);
    const url = { url: origin.url(), tag: undefined, application: undefined, filteredQueryParams: [] };
    const taskId = computeTaskId(url);
    const content = await makeContentFolder(store());
    await symlink(trap(), join(content, taskId.slice(0, 3)));
    const daemon = await start();
    const { status } = await downloadTask(`unix:${daemon.socketPath}`, { url: origin.url() });
    assert.notEqual(status.code, 0, 'a download through a link');
    await nothingInTheTrap();
    assert.equal(await daemon.end(), 0);
    await origin.close();
  });

  it('does not lead elsewhere by a link in place of a task', async () => {
    const origin = await Origin.start(1000);
    const url = { url: origin.url(), tag: undefined, application: undefined, filteredQueryParams: [] };
    const taskId = computeTaskId(url);
    const precious = join(trap(), 'precious');
    await writeFile(precious, 'as it was');
    const folder = join(await makeContentFolder(store()), taskId.slice(0, 3));
    await mkdir(folder, { mode: 0o700 });
    await symlink(precious, join(folder, taskId));
    const daemon = await start();
    await downloadTask(`unix:${daemon.socketPath}`, { url: origin.url() });
    assert.equal(await daemon.end(), 0);
    assert.equal(await readFile(precious, 'utf8'), 'as it was');
    await origin.close();
  });
});

describe('a log directory that somebody has prepared', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  const precious = (): string => join(directory(), 'precious');

  for (const name of ['dfdaemon-start.log', 'dfdaemon.log'])
    it(`does not lead elsewhere by a link in place of ${name}`, async () => {
      const log = join(directory(), 'log');
      await mkdir(log);
      await writeFile(precious(), 'as it was');
      await symlink(precious(), join(log, name));
      // With no daemon running it starts one, which logs there.
      const { code, stderr } = await dfget(['http://127.0.0.1:1/', '-O', join(directory(), 'output')], {
        DFPEER_HOME: directory(),
        DFPEER_ALIVE_TIME: '1s',
      });
      assert.notEqual(code, 0);
      assert.match(
        stderr,
        name === 'dfdaemon.log' ? /dfdaemon\.log is a symbolic link/ : /start\.log can't be written \(ELOOP\)/,
      );
      assert.equal(await readFile(precious(), 'utf8'), 'as it was');
    });
});

/** Where the store keeps its data files, made before it does. */
async function makeContentFolder(store: string): Promise<string> {
  const content = join(store, 'content');
  await mkdir(content, { recursive: true, mode: 0o700 });
  return content;
}
