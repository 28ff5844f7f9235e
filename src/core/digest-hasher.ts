import { createHash } from 'node:crypto';
import { runningCrc32 } from './running-crc32.js';
import type { DigestAlgorithm } from './task-digest.js';

/** Sums up content chunk by chunk. */
export interface DigestHasher {
  update(chunk: Uint8Array): void;
  value(): string;
}

export function createDigestHasher(algorithm: DigestAlgorithm): DigestHasher {
  if (algorithm === 'crc32') {
    let sum = 0;
    return { update: (chunk) => void (sum = runningCrc32(chunk, sum)), value: () => String(sum >>> 0) };
  }
  const hash = createHash(algorithm);
  return { update: (chunk) => void hash.update(chunk), value: () => hash.digest('hex') };
}
