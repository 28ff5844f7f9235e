import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeBlocks } from './origin.js';

/**
 * Fills as much of the page cache as a run is going to, and frees it again. A virtual machine's host takes back what lies free for
 * seconds, and handing it out anew costs several times what a copy does: whoever runs first would pay for both.
 */
export function warmMemory(directory: string, bytes: number): void {
  const path = join(directory, 'warm-memory');
  writeBlocks(path, bytes);
  rmSync(path);
}
