import { spawnSync } from 'node:child_process';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { skipLoudly } from './skip.js';
import { useTemporaryDirectory } from './temporary-directory.js';

const FILLER_STEP = Buffer.alloc(64 * 1024);

export interface SmallDisk {
  /** On another file system. */
  directory: () => string;
  path: () => string;
  /** Leaves so many bytes free. */
  fill: (freeBytes?: number) => Promise<void>;
  free: () => Promise<void>;
}

/** A file system of its own for each test, skipped loudly where none can be had: call inside describe(). */
export function useSmallDisk(mebibytes: number): SmallDisk {
  // Before the directory around it is removed: hooks run in this order.
  afterEach(() => {
    spawnSync('umount', [path()], { stdio: 'ignore' });
  });
  const directory = useTemporaryDirectory();
  const path = (): string => join(directory(), 'disk');
  const filler = (): string => join(path(), 'filler');

  beforeEach(async function () {
    await mkdir(path());
    const mount = ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path()];
    const isMounted = process.getuid?.() === 0 && spawnSync('mount', mount, { stdio: 'ignore' }).status === 0;
    if (!isMounted) skipLoudly(this, 'a small file system can only be mounted by root');
  });

  return {
    directory,
    path,
    fill: async (freeBytes = 0) => {
      const file = await open(filler(), 'w');
      try {
        for (;;) {
          const { bavail, bsize } = await statfs(path());
          const left = bavail * bsize - freeBytes;
          if (left <= 0) return;
          await file.write(FILLER_STEP, 0, Math.min(left, FILLER_STEP.length));
        }
      } finally {
        await file.close();
      }
    },
    free: () => rm(filler()),
  };
}
