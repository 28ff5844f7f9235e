import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { dropCachedRange, isRangeCached } from '../../native/index.js';
import { computeTaskId } from '../../src/core/task-id.js';
import { DropBehind } from '../../src/upload/transfer/drop-behind.js';
import { skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const MIB = 1024 * 1024;
const RANGE = { offset: 0, length: 4 * MIB };

describe('dropping behind uploads', () => {
  const directory = useTemporaryDirectory();
  let fd: number;

  /** On the disk, and not in memory. */
  beforeEach(async function () {
    const path = join(directory(), 'file');
    const file = await open(path, 'w');
    await file.writeFile(randomBytes(RANGE.length));
    await file.sync();
    await file.close();
    fd = openSync(path, 'r');
    dropCachedRange(fd, 0, RANGE.length);
    // tmpfs has its files nowhere but in memory.
    if (isRangeCached(fd, 0, RANGE.length)) skipLoudly(this, 'the temporary directory can not be dropped from memory');
  });
  afterEach(() => closeSync(fd));

  const taskId = computeTaskId({ url: 'http://example.com/file' });
  const spec = (): Parameters<DropBehind['begin']>[0] => ({ task: { taskId, file: { fd } }, range: RANGE });
  const outcome = { bytesSent: RANGE.length };

  async function readAll(): Promise<void> {
    const file = await open(join(directory(), 'file'));
    await file.readFile();
    await file.close();
  }

  const isCached = (): boolean => isRangeCached(fd, RANGE.offset, RANGE.length);

  it('forgets what one upload had to read', async () => {
    const end = new DropBehind().begin(spec());
    await readAll();
    assert.equal(isCached(), true);
    end(outcome);
    assert.equal(isCached(), false);
  });

  it('keeps what was in memory before', async () => {
    await readAll();
    const end = new DropBehind().begin(spec());
    end(outcome);
    assert.equal(isCached(), true);
  });

  it('keeps the part that was in memory before, and forgets the rest', () => {
    const cached = { offset: RANGE.length - MIB, length: MIB };
    readSync(fd, Buffer.alloc(MIB), 0, cached.length, cached.offset);
    const end = new DropBehind().begin(spec());
    readSync(fd, Buffer.alloc(RANGE.length), 0, RANGE.length, 0);
    assert.equal(isCached(), true);
    end(outcome);
    assert.equal(isRangeCached(fd, cached.offset, cached.length), true);
    for (const offset of [0, MIB, 2 * MIB]) assert.equal(isRangeCached(fd, offset, MIB), false, `${offset}`);
  });

  it('keeps what another upload of the task may want next', async () => {
    const dropBehind = new DropBehind();
    const [endFirst, endSecond] = [dropBehind.begin(spec()), dropBehind.begin(spec())];
    await readAll();
    endFirst(outcome);
    assert.equal(isCached(), true);
    endSecond(outcome);
    assert.equal(isCached(), false);
  });
});
