import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { startReadStream, type MeasuredServer } from './servers.js';

const BLOCK_BYTES = 8 * 1024 * 1024;

/** A file of random bytes in `directory`, and a server process for it. `bytes` is a multiple of 8 MiB. */
export async function startOrigin(directory: string, bytes: number): Promise<MeasuredServer & { url: string }> {
  const path = join(directory, 'file.bin');
  makeFile(path, bytes);
  const server = await startReadStream('origin', path);
  return { ...server, url: `http://127.0.0.1:${server.port}${server.path}` };
}

/** Random bytes; `bytes` is a multiple of 8 MiB. */
export function makeFile(path: string, bytes: number): void {
  writeBlocks(path, bytes, randomFillSync);
}

/** A file of whole blocks of 8 MiB: of zeros, or what `fill` makes of each. */
export function writeBlocks(path: string, bytes: number, fill?: (block: Buffer) => unknown): void {
  const block = Buffer.alloc(BLOCK_BYTES);
  const file = openSync(path, 'w', 0o644);
  for (let written = 0; written < bytes;) {
    fill?.(block);
    written += writeSync(file, block);
  }
  closeSync(file);
}
