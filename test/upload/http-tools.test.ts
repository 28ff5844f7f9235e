import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { FileTask } from './support/file-piece-source.js';
import { type RunningService, startService } from './support/service.js';

const run = promisify(execFile);
const MIB = 1024 * 1024;

describe('common download tools', () => {
  let running: RunningService;
  let task: FileTask;
  let directory: string;
  let url: string;

  before(async () => {
    running = await startService();
    task = running.source.add({ content: randomBytes(24 * MIB + 3), pieceLength: 4 * MIB });
    url = `http://127.0.0.1:${running.httpPort}/download/${task.taskId.slice(0, 3)}/${task.taskId}`;
    directory = mkdtempSync(join(tmpdir(), 'dfpeer-tools-'));
  });
  after(async () => {
    await running.stop();
    rmSync(directory, { recursive: true });
  });

  /** Runs the tool, or skips the test and says so when the machine has none. */
  async function tool(test: Mocha.Context, name: string, ...args: string[]): Promise<void> {
    try {
      await run(name, args, { cwd: directory, timeout: 30_000, env: { ...process.env, no_proxy: '127.0.0.1' } });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      console.warn(`SKIPPED: ${name} is not installed`);
      test.skip();
    }
  }
  const written = (name: string): Buffer => readFileSync(join(directory, name));

  it('curl gets the whole, a range, and the rest of a broken download', async function () {
    await tool(this, 'curl', '-sSf', '-o', 'whole', url);
    assert.ok(written('whole').equals(task.content));
    await tool(this, 'curl', '-sSf', '-r', '1000-1999', '-o', 'range', url);
    assert.deepEqual(written('range'), task.content.subarray(1000, 2000));
    writeFileSync(join(directory, 'rest'), task.content.subarray(0, 5 * MIB));
    await tool(this, 'curl', '-sSf', '-C', '-', '-o', 'rest', url);
    assert.ok(written('rest').equals(task.content));
  });

  it('wget -c completes a broken download, and leaves a complete one alone', async function () {
    writeFileSync(join(directory, 'wget'), task.content.subarray(0, 7 * MIB + 1));
    await tool(this, 'wget', '-q', '-c', '-O', 'wget', url);
    assert.ok(written('wget').equals(task.content));
    await tool(this, 'wget', '-q', '-c', '-O', 'wget', url);
    assert.ok(written('wget').equals(task.content));
  });

  it('aria2c -x 8 puts it together from eight connections', async function () {
    await tool(this, 'aria2c', '-q', '-x', '8', '-s', '8', '-k', '1M', '--no-conf', '-o', 'aria', url);
    assert.ok(written('aria').equals(task.content));
    assert.equal(await running.metric('dfpeer_upload_bytes_total', { route: 'copy' }), 0);
  });
});
