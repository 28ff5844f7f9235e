import { loadLibc } from './load-libc.js';

/**
 * Gives what malloc keeps free back to the system (malloc_trim(3)): glibc leaves it to the process, thread by thread. Blocks for a few
 * milliseconds. False where there is nothing to give, or no glibc.
 */
export function trimMemory(): boolean {
  const load = loadLibc();
  return load.available && load.libc.trimMalloc(0) === 1;
}
