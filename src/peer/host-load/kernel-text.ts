import { readFile } from 'node:fs/promises';

/** Reads a file of /proc or /sys; rejects where there is none. */
export type ReadText = (path: string) => Promise<string>;

/** Empty where there is no such file: another system, or a container that hides it. */
export function kernelText(path: string, read: ReadText = (each) => readFile(each, 'latin1')): Promise<string> {
  return read(path).catch(() => '');
}
