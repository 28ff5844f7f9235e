import { fsyncSync, openSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const STANDARD_OUTPUTS = [1, 2];

/**
 * koffi syncs stdout and stderr when the process exits, and waits for itself for ever where that fails, as on a full or broken disk: such a
 * one is exchanged before.
 */
export function keepExitFromHanging(dup2: (from: number, to: number) => number): void {
  if (!isMainThread) return;
  process.once('exit', () => {
    for (const fd of STANDARD_OUTPUTS) if (!canSync(fd)) dup2(openSync('/dev/null', 'w'), fd);
  });
}

function canSync(fd: number): boolean {
  try {
    fsyncSync(fd);
    return true;
  } catch (error) {
    // A pipe or a terminal, which has nothing to sync: koffi minds that as little.
    return error instanceof Error && 'code' in error && error.code === 'EINVAL';
  }
}
