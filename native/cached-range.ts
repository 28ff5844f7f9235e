import { loadLibc } from './load-libc.js';
import { POSIX_FADV_DONTNEED } from './linux-abi.js';
import { PageCache } from './page-cache.js';

/** Whether every page of a file's range is in memory; true as well where the kernel can't be asked. Lengths in bytes. */
export function isRangeCached(fd: number, offset: number, length: number): boolean {
  const load = loadLibc();
  return !load.available || new PageCache(load.libc).resident(fd, offset, length);
}

/**
 * Lets the kernel forget a file's range (posix_fadvise, POSIX_FADV_DONTNEED): whole pages that are on disk already and that nobody
 * else uses. A hint: false when it could not be given.
 */
export function dropCachedRange(fd: number, offset: number, length: number): boolean {
  const load = loadLibc();
  return load.available && load.libc.fadvise(fd, offset, length, POSIX_FADV_DONTNEED) === 0;
}
