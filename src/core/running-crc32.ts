import { crc32 } from 'node:zlib';

/** CRC-32 of what was summed up before and of `bytes`. zlib's own forgets the sum when it is given no bytes at all. */
export function runningCrc32(bytes: Uint8Array, sum: number): number {
  return bytes.length === 0 ? sum : crc32(bytes, sum);
}
