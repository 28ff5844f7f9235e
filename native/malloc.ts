import { loadLibc } from './load-libc.js';
import { M_ARENA_MAX } from './linux-abi.js';

/**
 * Gives what malloc keeps free back to the system (malloc_trim(3)): glibc leaves it to the process, thread by thread. Blocks for a few
 * milliseconds. False where there is nothing to give, or no glibc.
 */
export function trimMemory(): boolean {
  const load = loadLibc();
  return load.available && load.libc.trimMalloc(0) === 1;
}

/**
 * From how many arenas malloc may serve the threads that begin from now on (mallopt(3)): by default eight a processor, each of which
 * keeps what its thread once needed at most. False where there is no glibc.
 */
export function limitMallocArenas(arenas: number): boolean {
  const load = loadLibc();
  return load.available && load.libc.setMallocOption(M_ARENA_MAX, arenas) === 1;
}
