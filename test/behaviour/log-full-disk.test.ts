import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_BUFFERED_LOG_BYTES } from '../../src/cli/log-destination.js';
import { openLog } from '../../src/cli/log.js';
import { dfget, DFDAEMON } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useSmallDisk } from '../support/small-disk.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

interface Line {
  level: string;
  msg: string;
  index?: number;
  lostLines?: number;
}

describe('a log on a disk that is full for a while', function () {
  this.timeout(60_000);
  const { path: disk, directory, fill, free } = useSmallDisk(32);

  /** What the file holds; a line that was cut off does not count. */
  async function readLines(): Promise<Line[]> {
    const text = await readFile(join(disk(), 'dfdaemon.log'), 'utf8');
    return text.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line) as Line];
      } catch {
        return [];
      }
    });
  }

  it('goes on when there is room again, and tells how many lines it lacks, in bounded memory', async () => {
    const failures: Error[] = [];
    const log = await openLog({
      name: 'dfdaemon',
      level: 'info',
      levels: {},
      dir: disk(),
      maxFiles: 2,
      maxFileSizeBytes: 1024 * MIB,
      console: false,
      onFailure: (error) => failures.push(error),
    });
    const padding = 'x'.repeat(1000);
    let count = 0;
    const write = (lines: number): void => {
      for (let each = 0; each < lines; each++) log.logger.info({ index: count++, padding }, 'line');
    };
    write(10);
    await until('the first lines', async () => (await readLines()).length === 10);
    // A part of a line fits.
    await fill(500);
    write(10);
    await until('trouble', async () => failures.length > 0);
    assert.match(failures[0]?.message ?? '', /ENOSPC/);
    const most = Math.ceil(MAX_BUFFERED_LOG_BYTES / padding.length);
    write(most + 1000);
    assert.ok(log.droppedLines > 0, 'memory is bounded');
    await free();
    const lost = async (): Promise<number> =>
      (await readLines()).reduce((sum, { lostLines = 0 }) => sum + lostLines, 0);
    await until('news of the loss', async () => (await lost()) === log.droppedLines);
    write(10);
    await log.close();
    const lines = await readLines();
    const indexes = lines.flatMap(({ index }) => (index === undefined ? [] : [index]));
    assert.equal(indexes.length + (await lost()), count, 'every line is there, or counted');
    assert.deepEqual(
      indexes.slice(-10),
      Array.from({ length: 10 }, (_, each) => count - 10 + each),
    );
    const note = lines.find(({ lostLines = 0 }) => lostLines > 1);
    assert.equal(note?.level, 'warn');
    assert.match(note.msg, /^\d+ lines of the log are missing here/);
  });

  it('keeps no daemon from its work, nor from its end', async () => {
    const origin = await Origin.start(100_000);
    const env = { ...process.env, DFPEER_HOME: directory() };
    const child = spawn(process.execPath, [DFDAEMON, '--loopback', '--log-dir', disk()], { stdio: 'ignore', env });
    const exited = once(child, 'exit');
    const reloads = async (): Promise<number> =>
      (await readLines().catch(() => [])).filter(({ msg }) => msg === 'configuration reloaded').length;
    const done = async (): Promise<number> =>
      (await readLines()).filter(({ msg }) => msg === 'a download is done').length;
    const reload = async (): Promise<void> => {
      const before = await reloads();
      child.kill('SIGHUP');
      await until('a reload', async () => (await reloads()) === before + 1);
    };
    const get = async (name: string): Promise<void> => {
      const { code, stderr } = await dfget([`${origin.url()}?${name}`, '-O', join(directory(), name)], env);
      assert.equal(code, 0, stderr);
    };
    try {
      await until('the start', async () => (await readLines().catch(() => [])).some(({ msg }) => msg === 'ready'));
      await reload();
      await fill();
      // More lines than the last page of the file has room for.
      for (let each = 0; each < 8; each++) await get(`file-${each}`);
      assert.ok((await done()) < 8, 'the log is stuck');
      await free();
      await reload();
      const lost = (await readLines()).reduce((sum, { lostLines = 0 }) => sum + lostLines, 0);
      assert.ok((await done()) >= 8 - lost && lost <= 1, 'what was logged meanwhile is there but for what was cut off');
      await fill();
      await get('last');
      child.kill('SIGTERM');
      assert.deepEqual(await exited, [0, null]);
    } finally {
      child.kill('SIGKILL');
      await exited;
      await origin.close();
    }
  });
});
