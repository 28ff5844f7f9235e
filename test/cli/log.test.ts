import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { openLog, type LogOptions } from '../../src/cli/log.js';
import { LogDestination } from '../../src/cli/log-destination.js';
import { until } from '../support/until.js';

const OPTIONS: LogOptions = {
  name: 'dfdaemon',
  level: 'info',
  levels: {},
  dir: '/nowhere',
  maxFiles: 6,
  maxFileSizeBytes: 1024 ** 2,
  console: true,
};

/** What is logged to a console that keeps it. */
function capture(isTTY = false): {
  stream: Writable & { isTTY?: boolean };
  text: () => string;
  lines: () => Record<string, unknown>[];
} {
  const chunks: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  const text = (): string => chunks.join('');
  const lines = (): Record<string, unknown>[] =>
    text()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { stream: Object.assign(stream, { isTTY }), text, lines };
}

async function withLogDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'dfp-log-'));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe('the log on a console', () => {
  it('is a JSON object a line when it is no terminal', async () => {
    const { stream, lines } = capture();
    const log = await openLog({ ...OPTIONS, consoleStream: stream });
    log.logger.info({ taskId: 't', bytes: 5 }, 'piece stored');
    log.logger.child({ module: 'upload' }).error({ err: new TypeError('broken') }, 'failed');
    await log.close();
    const [first, second] = lines();
    assert.ok(typeof first?.time === 'string' && !Number.isNaN(Date.parse(first.time)));
    assert.deepEqual(
      { ...first, time: '' },
      { level: 'info', time: '', pid: process.pid, taskId: 't', bytes: 5, msg: 'piece stored' },
    );
    assert.equal(second?.module, 'upload');
    const { type, message } = second.err as { type: string; message: string };
    assert.deepEqual([type, message], ['TypeError', 'broken']);
  });

  it('is for people when it is a terminal', async () => {
    const { stream, text } = capture(true);
    const log = await openLog({ ...OPTIONS, consoleStream: stream });
    log.logger.warn({ taskId: 't' }, 'slow parent');
    await log.close();
    assert.match(text(), /WARN.*slow parent.*"taskId":"t"/);
  });

  it('leaves the stream open', async () => {
    const { stream } = capture();
    const log = await openLog({ ...OPTIONS, consoleStream: stream });
    await log.close();
    await log.close();
    assert.equal(stream.writableEnded, false);
  });
});

describe('levels', () => {
  it('hold for a module and what is below it, and change at once', async () => {
    const { stream, lines } = capture();
    const log = await openLog({
      ...OPTIONS,
      levels: { upload: 'debug', 'upload.http': 'error' },
      consoleStream: stream,
    });
    const upload = log.logger.child({ module: 'upload' });
    const vortex = upload.child({ module: 'upload.vortex' }).child({ connection: 1 });
    const http = log.logger.child({ module: 'upload.http' });
    log.logger.debug({}, 'no');
    upload.debug({}, 'upload');
    vortex.debug({}, 'vortex');
    http.warn({}, 'no');
    log.setLevels('error', { 'upload.http': 'debug' });
    upload.warn({}, 'no');
    vortex.error({}, 'vortex error');
    http.debug({}, 'http');
    await log.close();
    assert.deepEqual(
      lines().map(({ msg }) => msg),
      ['upload', 'vortex', 'vortex error', 'http'],
    );
  });
});

describe('secrets', () => {
  it('reach neither fields, messages, errors nor children', async () => {
    const { stream, text } = capture();
    const log = await openLog({ ...OPTIONS, consoleStream: stream });
    const url = 'https://me:hunter2@e.org/f?X-Amz-Signature=hunter2&part=7';
    log.logger
      .child({ url })
      .info({ requestHeader: { Authorization: 'Bearer hunter2', Cookie: 'a=hunter2' } }, `got ${url}`);
    log.logger.error({ err: new Error(`GET ${url}`, { cause: { password: 'hunter2' } }) }, 'failed');
    await log.close();
    assert.doesNotMatch(text(), /hunter2/);
    assert.match(text(), /part=7/);
  });
});

describe('log files', () => {
  it('rotate by size, keep so many, and lose no line in between', () =>
    withLogDirectory(async (dir) => {
      const options = {
        ...OPTIONS,
        console: false,
        dir: join(dir, 'deep', 'log'),
        maxFiles: 50,
        maxFileSizeBytes: 4096,
      };
      const log = await openLog(options);
      const count = 300;
      for (let index = 0; index < count; index++) {
        log.logger.info({ index, padding: 'x'.repeat(100) }, 'line');
        if (index % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await log.close();
      const names = await readdir(options.dir);
      assert.ok(names.includes('dfdaemon.log') && names.includes('dfdaemon.log.1'), names.join());
      const texts = await Promise.all(names.map((name) => readFile(join(options.dir, name), 'utf8')));
      const indexes = texts.flatMap((text) => [...text.matchAll(/"index":(\d+)/g)].map(([, index]) => Number(index)));
      assert.deepEqual(
        indexes.sort((a, b) => a - b),
        Array.from({ length: count }, (_, index) => index),
      );
    }));

  it('go on in a file of the old name, when told that it was renamed', () =>
    withLogDirectory(async (dir) => {
      const log = await openLog({ ...OPTIONS, dir, console: false });
      log.logger.info({}, 'before');
      const current = join(dir, 'dfdaemon.log');
      await until('the line', async () => (await readFile(current, 'utf8')).includes('before'));
      await rename(current, join(dir, 'dfdaemon.log-1'));
      log.reopen();
      log.logger.info({}, 'after');
      await log.close();
      assert.match(await readFile(join(dir, 'dfdaemon.log-1'), 'utf8'), /before"\}\n$/);
      assert.match(await readFile(current, 'utf8'), /^\{[^\n]*"after"\}\n$/);
    }));

  for (const what of ['link', 'pipe'])
    it(`wait for their name to be free where a ${what} has taken it meanwhile`, () =>
      withLogDirectory(async (dir) => {
        const failures: Error[] = [];
        const onFailure = (error: Error): void => void failures.push(error);
        const log = await openLog({ ...OPTIONS, dir, console: false, onFailure });
        const [current, victim] = [join(dir, 'dfdaemon.log'), join(dir, 'victim')];
        await writeFile(victim, '');
        await rm(current);
        if (what === 'link') await symlink(victim, current);
        else assert.equal(spawnSync('mkfifo', [current]).status, 0);
        log.reopen();
        log.logger.info({}, 'meanwhile');
        await until('trouble', () => failures.length > 0);
        assert.match(failures[0]?.message ?? '', /is a symbolic link|is not a file/);
        await rm(current);
        await until('the line', async () => (await readFile(current, 'utf8').catch(() => '')).includes('meanwhile'));
        await log.close();
        assert.equal(await readFile(victim, 'utf8'), '');
      }));

  it('are no more than asked for, and readable by owner and group only', () =>
    withLogDirectory(async (dir) => {
      for (let round = 0; round < 6; round++) {
        const log = await openLog({ ...OPTIONS, console: false, dir, maxFiles: 3, maxFileSizeBytes: 4096 });
        for (let index = 0; index < 60; index++) log.logger.info({ padding: 'x'.repeat(100) }, 'line');
        await log.close();
      }
      const names = await readdir(dir);
      assert.equal(names.length, 3, names.join());
      for (const name of names) assert.equal((await stat(join(dir, name))).mode & 0o007, 0, name);
    }));

  it("can't be where a file is: an error that names directory and remedy", () =>
    withLogDirectory(async (dir) => {
      await writeFile(join(dir, 'file'), '');
      await assert.rejects(openLog({ ...OPTIONS, console: false, dir: join(dir, 'file') }), {
        code: 'DFP_CONFIG',
        message: /log directory .*\/file can't be used: .*; choose one with --log-dir/,
      });
    }));
});

describe('a stream that takes nothing', () => {
  it('costs bounded memory: further lines are dropped, counted, and reported once', () => {
    const stuck = new Writable({ write: () => undefined });
    const failures: string[] = [];
    const destination = new LogDestination(stuck, (error) => failures.push(error.message), { maxBufferedBytes: 1000 });
    for (let index = 0; index < 30; index++) destination.write('x'.repeat(100));
    assert.equal(destination.droppedLines, 20);
    assert.ok(stuck.writableLength <= 1000);
    assert.equal(failures.length, 1);
  });

  it('does not keep close() waiting beyond its deadline', async () => {
    const stuck = new Writable({ write: () => undefined });
    let fire: () => void = () => undefined;
    const clock = {
      now: () => 0,
      monotonicMs: () => 0,
      after: (_: number, callback: () => void) => {
        fire = callback;
        return () => undefined;
      },
    };
    const destination = new LogDestination(stuck, () => undefined, { clock });
    destination.write('line');
    const closed = destination.close({ end: true });
    fire();
    await closed;
  });

  it('or fails, does not take the process down', async () => {
    const failing = new PassThrough();
    const failures: string[] = [];
    const log = await openLog({
      ...OPTIONS,
      consoleStream: failing,
      onFailure: (error) => failures.push(error.message),
    });
    failing.destroy(new Error('disk full'));
    log.logger.info({}, 'into the void');
    await log.close();
    assert.ok(failures.includes('disk full'));
  });
});
