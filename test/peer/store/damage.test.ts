import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, cp, mkdir, open, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { DfpeerError } from '../../../src/core/errors.js';
import { silentLogger, type Logger } from '../../../src/core/logger.js';
import { MAX_QUARANTINED_FILES } from '../../../src/peer/store/quarantine.js';
import { TaskStore } from '../../../src/peer/store/task-store.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { newTask, storePiece, storeTask, type ContentOfTask } from './fill-store.js';

const PIECE = 1024;
const what = (name: string, pieces: number): ContentOfTask => ({
  url: `http://example.com/${name}`,
  content: randomBytes(pieces * PIECE),
  pieceLength: PIECE,
});
const COMPLETE = what('complete', 20);
const PARTIAL = what('partial', 20);
const REMADE = what('remade', 20);
const ALL = [COMPLETE, PARTIAL, REMADE];
const PIECES_STORED = 20 + 10 + 5;

/** Tables and a log with something in them: LevelDB makes tables when it is opened again. */
async function makeStore(directory: string): Promise<void> {
  let store = await TaskStore.openDirectory(directory, { logger: silentLogger });
  await storeTask(store, COMPLETE);
  const partial = await store.create(newTask(PARTIAL));
  for (let number = 0; number < 10; number++) await storePiece(partial, PARTIAL.content, number);
  await storeTask(store, { ...REMADE, content: randomBytes(REMADE.content.length) });
  await store.close();
  store = await TaskStore.openDirectory(directory, { logger: silentLogger });
  await store.allSettled();
  // Records of its former life may come back when LevelDB's files are damaged.
  const remade = await store.create(newTask(REMADE));
  for (let number = 15; number < 20; number++) await storePiece(remade, REMADE.content, number);
  await store.close();
}

interface Reopened {
  pieces: number;
  warnings: string[];
}

/** Opens it, checks that whatever it would serve is right, and that it works on. */
async function reopen(directory: string): Promise<Reopened> {
  const warnings: string[] = [];
  const note = (_: object, message: string): void => void warnings.push(message);
  const logger: Logger = { ...silentLogger, warn: note, error: note, child: () => logger };
  const store = await TaskStore.openDirectory(directory, { logger });
  await store.allSettled();
  let pieces = 0;
  for (const task of store.tasks()) {
    const { content } = ALL.find(({ url }) => task.record.url === url) ?? assert.fail('an unknown task');
    const served = store.open(task.taskId);
    assert.ok(served);
    const bytes = await readFile(task.path);
    for (const { number, offset, length } of task.pieces()) {
      assert.ok(
        bytes.subarray(offset, offset + length).equals(content.subarray(offset, offset + length)),
        `piece ${number} of ${task.record.url} is wrong`,
      );
      pieces++;
    }
    served.release();
  }
  await storeTask(store, COMPLETE);
  await store.close();
  return { pieces, warnings };
}

async function flipBit(path: string, offset: number, bit: number): Promise<void> {
  const file = await open(path, 'r+');
  const { size } = await file.stat();
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset % size);
  byte[0] = (byte[0] ?? 0) ^ (1 << bit);
  await file.write(byte, 0, 1, offset % size);
  await file.close();
}

describe('a damaged store', function () {
  this.timeout(120_000);
  const directory = useTemporaryDirectory();
  const original = (): string => join(directory(), 'original');
  const copy = (): string => join(directory(), 'copy');

  beforeEach(() => makeStore(original()));

  async function damaged(damage: (store: string) => Promise<void>): Promise<Reopened> {
    await rm(copy(), { recursive: true, force: true });
    // Times of modification are part of what is trusted.
    await cp(original(), copy(), { recursive: true, preserveTimestamps: true });
    await damage(copy());
    return reopen(copy());
  }

  const metadataFiles = async (): Promise<string[]> =>
    (await readdir(join(original(), 'metadata')))
      .filter((name) => /^(MANIFEST|CURRENT)|\.(ldb|log)$/.test(name))
      .sort();

  it('has its metadata in a manifest, a pointer to it, a log and tables', async () => {
    const kinds = (await metadataFiles()).map((name) => name.replace(/[\d-]/g, ''));
    assert.deepEqual([...new Set(kinds)].sort(), ['.ldb', '.log', 'CURRENT', 'MANIFEST']);
  });

  it('opens whatever metadata file is missing, empty, cut, or garbage, and serves nothing wrong', async () => {
    const ways: Record<string, (path: string, size: number) => Promise<void>> = {
      missing: (path) => rm(path),
      empty: (path) => truncate(path, 0),
      cut: (path, size) => truncate(path, size >> 1),
      garbage: (path, size) => writeFile(path, randomBytes(Math.max(size, 1))),
    };
    for (const name of await metadataFiles())
      for (const [way, damage] of Object.entries(ways)) {
        const { pieces, warnings } = await damaged(async (store) => {
          const path = join(store, 'metadata', name);
          await damage(path, (await stat(path)).size);
        }).catch((error: unknown) => assert.fail(`${name} ${way}: ${String(error)}`));
        // A log that lacks its end is what a power loss leaves, too.
        const isQuiet = name.endsWith('.log') && way === 'cut';
        assert.ok(
          pieces === PIECES_STORED || warnings.length > 0 || isQuiet,
          `${name} ${way}: ${pieces} pieces, and no warning`,
        );
        assert.ok(pieces <= PIECES_STORED, `${name} ${way}: ${pieces} pieces`);
      }
  });

  it('opens whatever bit of its metadata is flipped, and serves nothing wrong', async () => {
    const names = await metadataFiles();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.nat(1 << 20), fc.nat(7), async (name, offset, bit) => {
        const { pieces } = await damaged((store) => flipBit(join(store, 'metadata', name), offset, bit));
        assert.ok(pieces <= PIECES_STORED);
      }),
      { numRuns: 30 },
    );
  });

  const aTable = async (): Promise<string> =>
    (await metadataFiles()).find((name) => name.endsWith('.ldb')) ?? assert.fail('no table');

  it('has everything again when only the pointer to the manifest is lost', async () => {
    const { pieces, warnings } = await damaged((store) => rm(join(store, 'metadata', 'CURRENT')));
    assert.deepEqual([pieces, warnings.length], [PIECES_STORED, 1]);
  });

  it('is not damaged by a table that a kill left half written', async () => {
    const leftover = '999999.ldb';
    const { pieces, warnings } = await damaged(async (store) => {
      const metadata = join(store, 'metadata');
      const table = await readFile(join(metadata, await aTable()));
      await writeFile(join(metadata, leftover), table.subarray(0, table.length >> 1));
    });
    assert.deepEqual(warnings, []);
    assert.equal(pieces, PIECES_STORED);
    assert.ok(!(await readdir(join(copy(), 'metadata'))).includes(leftover), 'LevelDB deletes it');
  });

  it('is neither checked nor repaired while another process has it', async () => {
    const metadata = join(original(), 'metadata');
    const table = join(metadata, await aTable());
    const program = `const { ClassicLevel } = require('classic-level');
      new ClassicLevel(process.argv[1]).open().then(() => process.stdout.write('open'));
      setInterval(() => undefined, 1000);`;
    const holder = spawn(process.execPath, ['-e', program, metadata], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    const refused = (): Promise<void> =>
      assert.rejects(
        TaskStore.openDirectory(original(), { logger: silentLogger }),
        (error) => error instanceof DfpeerError && error.code === 'DFP_STORE_LOCKED',
      );
    try {
      await flipBit(table, 100, 1);
      await refused();
      await stat(table);
      await rm(table);
      // As one that is listed, and gone before it is read.
      await symlink('gone', table);
      await refused();
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    }
  });

  it('drops the pieces whose bits are flipped, and only those', async () => {
    const { url } = COMPLETE;
    const { taskId } = newTask({ ...COMPLETE, url });
    await fc.assert(
      fc.asyncProperty(fc.nat(COMPLETE.content.length - 1), fc.nat(7), async (offset, bit) => {
        const { pieces, warnings } = await damaged((store) =>
          flipBit(join(store, 'content', taskId.slice(0, 3), taskId), offset, bit),
        );
        assert.equal(pieces, PIECES_STORED - 1);
        assert.ok(warnings.some((warning) => warning.includes('do not match their digests')));
      }),
      { numRuns: 10 },
    );
  });

  it('moves a data file that was cut or replaced out of the way', async () => {
    const { taskId } = newTask(COMPLETE);
    const ways: Record<string, (path: string) => Promise<void>> = {
      cut: (path) => truncate(path, 100),
      longer: (path) => writeFile(path, 'more', { flag: 'a' }),
      'a directory': async (path) => {
        await rm(path);
        await mkdir(path);
      },
      'a link to another file': async (path) => {
        await rm(path);
        await symlink('/etc/hostname', path);
      },
      ...(process.getuid?.() === 0 && { 'given to another user': (path: string) => chown(path, 65534, 65534) }),
    };
    for (const [way, damage] of Object.entries(ways)) {
      const { pieces, warnings } = await damaged((store) => damage(join(store, 'content', taskId.slice(0, 3), taskId)));
      assert.equal(pieces, PIECES_STORED - COMPLETE.content.length / PIECE, way);
      assert.equal(warnings.length, 1, way);
      assert.equal((await readdir(join(copy(), 'quarantine'))).length, 1, way);
    }
  });

  it('leaves foreign files alone that stand where no data file can be, and takes those away that stand where one could', async () => {
    const foreignId = 'abc'.padEnd(64, '0');
    const { pieces } = await damaged(async (store) => {
      await mkdir(join(store, 'content', 'abc'), { recursive: true });
      await writeFile(join(store, 'content', 'abc', foreignId), 'foreign');
      await writeFile(join(store, 'content', 'notes.txt'), 'foreign');
      await writeFile(join(store, 'content', 'abc', 'notes.txt'), 'foreign');
    });
    assert.equal(pieces, PIECES_STORED);
    assert.deepEqual(await readdir(join(copy(), 'content', 'abc')), ['notes.txt']);
    assert.equal((await readdir(join(copy(), 'quarantine'))).length, 1);
  });

  it('keeps no more than so many damaged files, and has one line in the log for all', async () => {
    const { warnings } = await damaged(async (store) => {
      for (let index = 0; index < MAX_QUARANTINED_FILES + 5; index++) {
        const path = join(store, 'content', 'abc', `abc${String(index).padStart(61, '0')}`);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, 'foreign');
      }
    });
    assert.equal((await readdir(join(copy(), 'quarantine'))).length, MAX_QUARANTINED_FILES);
    assert.deepEqual(warnings, ['data files without a record went to quarantine']);
  });

  it('forgets quietly what a kill left of a creation or a removal', async () => {
    const { taskId } = newTask(what('cut off', 1));
    const { warnings } = await damaged(async (store) => {
      const path = join(store, 'content', taskId.slice(0, 3), taskId);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, '');
      await truncate(path, 1 << 20);
    });
    assert.deepEqual(warnings, []);
    assert.deepEqual(await readdir(join(copy(), 'quarantine')), []);
  });
});
