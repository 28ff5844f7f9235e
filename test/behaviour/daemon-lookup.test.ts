import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readSocketNote } from '../../src/peer/socket-note.js';
import { dfget, type ProcessResult } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

describe('dfget looks for the daemon of its user', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  let origin: Origin;
  let files = 0;

  beforeEach(async () => {
    origin = await Origin.start(1000);
  });

  afterEach(async () => {
    await origin.close();
    const note = await readSocketNote(store());
    if (note === undefined) return;
    process.kill(note.pid, 'SIGTERM');
    await until('the daemon to end', async () => (await readSocketNote(store())) === undefined);
  });

  const store = (): string => join(directory(), '.local', 'share', 'dfpeer', 'dfpeer');

  /** As of somebody who is not root, whose session has a directory for sockets, or, as in cron, has none. */
  async function get(runtimeDirectory: string): Promise<ProcessResult> {
    const output = join(directory(), `file-${++files}`);
    const result = await dfget([origin.url(), '-O', output, '--no-progress'], {
      DFPEER_PLACES: 'user',
      DFPEER_ALIVE_TIME: '30s',
      DFPEER_HOME: '',
      HOME: directory(),
      XDG_RUNTIME_DIR: runtimeDirectory,
      XDG_CONFIG_HOME: '',
      XDG_DATA_HOME: '',
      XDG_STATE_HOME: '',
    });
    if (result.code === 0) assert.ok((await readFile(output)).equals(origin.content));
    return result;
  }

  it('by its note where the environment leads to another socket', async () => {
    const started = await get(join(directory(), 'run'));
    assert.equal(started.code, 0, started.stderr);
    assert.match(started.stderr, /starting one in the background/);
    const found = await get('');
    assert.equal(found.code, 0, found.stderr);
    assert.equal(found.stderr, '');
  });

  it('and says at once which process has the store when its socket is gone', async () => {
    const runtimeDirectory = join(directory(), 'run');
    assert.equal((await get(runtimeDirectory)).code, 0);
    const note = await readSocketNote(store());
    assert.ok(note !== undefined);
    await rm(note.socketPath);
    const refused = await get(runtimeDirectory);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, new RegExp(`process ${note.pid}\\).*kill ${note.pid}\\).*DFP_DAEMON_UNREACHABLE`));
  });

  it('and starts one whatever a note says that a killed one has left', async () => {
    await mkdir(store(), { recursive: true, mode: 0o700 });
    for (const text of ['nonsense', JSON.stringify({ socketPath: join(directory(), 'gone.sock'), pid: process.pid })]) {
      await writeFile(join(store(), 'listening.json'), text, { mode: 0o600 });
      const started = await get('');
      assert.equal(started.code, 0, started.stderr);
      const note = await readSocketNote(store());
      assert.ok(note !== undefined && existsSync(note.socketPath));
      process.kill(note.pid, 'SIGKILL');
      await until('the process to go', async () => !existsSync(`/proc/${note.pid}/fd/0`));
    }
    await rm(join(store(), 'listening.json'));
  });
});
