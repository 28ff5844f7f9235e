import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ByteRange } from '../../../src/core/piece.js';
import { digestFile } from '../../../src/peer/output/content-digest.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';

/** More than is read at once. */
const CONTENT = randomBytes(1_500_000);

describe('the digest of a file', () => {
  const directory = useTemporaryDirectory();
  const path = (): string => join(directory(), 'file');
  const whole = { offset: 0, length: CONTENT.length };

  beforeEach(() => writeFile(path(), CONTENT));

  const digest = (range: ByteRange, signal?: AbortSignal): ReturnType<typeof digestFile> =>
    digestFile(path(), 'sha256', range, signal);

  const isOpen = async (): Promise<boolean> => {
    const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
    return (await Promise.all(links)).includes(path());
  };

  for (const [what, range] of [
    ['all of it', whole],
    ['a range, and of nothing beyond', { offset: 100_000, length: 1_100_000 }],
    ['a short range', { offset: 7, length: 3 }],
    ['nothing', { offset: 5, length: 0 }],
  ] as const)
    it(`is that of ${what}`, async () => {
      const wanted = CONTENT.subarray(range.offset, range.offset + range.length);
      assert.equal((await digest(range)).value, createHash('sha256').update(wanted).digest('hex'));
    });

  it('ends with an error, and a closed file, where the file ends early or nobody waits for it any more', async () => {
    await assert.rejects(digest({ offset: 1, length: CONTENT.length }), {
      code: 'DFP_STORE_DAMAGED',
      message: `${path()} ends at ${CONTENT.length}`,
    });
    await assert.rejects(digest(whole, AbortSignal.abort()), { code: 'DFP_ABORTED' });
    assert.equal(await isOpen(), false);
  });
});
