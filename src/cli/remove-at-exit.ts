import { rmSync } from 'node:fs';

/** What is left of unfinished outputs. Bounded by the jobs that run at once. */
const remains = new Set<string>();
let isListening = false;

/** Removes it also when the process ends before its downloads do, as at a second SIGINT; the function that is returned calls it off. */
export function removeAtExit(path: string): () => void {
  remains.add(path);
  if (!isListening) process.once('exit', removeAll);
  isListening = true;
  return () => void remains.delete(path);
}

function removeAll(): void {
  for (const path of remains)
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // Nobody is left to be told.
    }
}
