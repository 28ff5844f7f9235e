import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface CopyOrder {
  source: string;
  path: string;
  length: number;
}

/** A process that makes an output by copying, and has halted with all bytes written, just before the output gets its name. */
export async function startCopy(order: CopyOrder): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('./copying-process.js', import.meta.url)), [JSON.stringify(order)]);
  await once(child, 'message');
  return child;
}
