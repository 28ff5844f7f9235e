import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { silentLogger } from '../../../src/core/logger.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { TaskStore } from '../../../src/peer/store/task-store.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { newTask } from './fill-store.js';

export const PIECE = 1024;
/** Four pieces and a short one. */
export const CONTENT = randomBytes(4 * PIECE + 100);
export const WHAT = { url: 'http://example.com/file', content: CONTENT, pieceLength: PIECE };
export const TASK_ID = computeTaskId({ url: WHAT.url });
export const NEW_TASK = newTask(WHAT);

/** A directory for each test, and the store in it: call inside describe(). */
export function useStore(): { directory: () => string; openStore: () => Promise<TaskStore> } {
  const directory = useTemporaryDirectory();
  return {
    directory,
    openStore: () => TaskStore.openDirectory(join(directory(), 'store'), { logger: silentLogger }),
  };
}
