import assert from 'node:assert/strict';
import type { Libc } from '../libc.js';
import { EAGAIN, ENOSYS } from '../linux-abi.js';
import { loadLibc } from '../load-libc.js';
import { PageCache } from '../page-cache.js';
import { requireNative } from './support.js';

describe('what is in the page cache', () => {
  let libc: Libc;
  before(function () {
    requireNative(this);
    const load = loadLibc();
    assert.ok(load.available);
    ({ libc } = load);
  });

  /** A kernel whose pages have this size, and which has so many of a range in memory. */
  const kernel = (pageSize: number, cachedPages: number): PageCache =>
    new PageCache({ ...libc, pageSize, cachedPages: () => cachedPages });

  for (const pageSize of [4096, 16_384, 65_536]) {
    it(`is counted in pages of ${pageSize} bytes where the kernel has such`, () => {
      assert.equal(kernel(pageSize, 3).resident(0, 0, 3 * pageSize), true);
      assert.equal(kernel(pageSize, 3).resident(0, 0, 3 * pageSize + 1), false);
      assert.equal(kernel(pageSize, 1).resident(0, pageSize - 1, 1), true);
      assert.equal(kernel(pageSize, 1).resident(0, pageSize - 1, 2), false);
    });
  }

  it('is told by the ends of the range where the kernel has no cachestat, which is asked for once', () => {
    let asked = 0;
    const inMemory = new Set([100, 199]);
    const pageCache = new PageCache({
      ...libc,
      cachedPages() {
        asked++;
        return -ENOSYS;
      },
      readByte: (_fd, offset) => (inMemory.has(offset) ? 1 : -EAGAIN),
    });
    assert.equal(pageCache.resident(0, 100, 100), true);
    assert.equal(pageCache.resident(0, 100, 101), false);
    assert.equal(pageCache.resident(0, 99, 101), false);
    assert.equal(asked, 1);
  });
});
