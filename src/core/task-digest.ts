import { UsageError } from './errors.js';

export type DigestAlgorithm = 'sha256' | 'sha512' | 'crc32';

/** The digest of a whole task, as a user gives it with --digest. */
export interface TaskDigest {
  algorithm: DigestAlgorithm;
  /** Hex for SHA, unsigned decimal for CRC-32: the form of the wire. */
  value: string;
}

/** `sha256:<64 hex>`, `sha512:<128 hex>` or `crc32:<decimal>` (docs/WIRE.md 5.2). @throws UsageError */
export function parseTaskDigest(text: string): TaskDigest {
  const match = /^(sha256|sha512|crc32):([0-9a-f]+)$/i.exec(text.trim());
  const algorithm = match?.[1]?.toLowerCase();
  const value = match?.[2]?.toLowerCase() ?? '';
  if (algorithm === 'sha256' && value.length === 64) return { algorithm, value };
  if (algorithm === 'sha512' && value.length === 128) return { algorithm, value };
  // Dragonfly pads to ten digits; the number is what counts.
  if (algorithm === 'crc32' && /^\d{1,10}$/.test(value) && Number(value) <= 0xffffffff)
    return { algorithm, value: String(Number(value)) };
  throw new UsageError(
    `not a digest: ${JSON.stringify(text.slice(0, 200))}; give sha256:<64 hex digits>, sha512:<128 hex digits> or crc32:<decimal>`,
    undefined,
    'DFP_INVALID_ARGUMENT',
  );
}

export function formatTaskDigest(digest: TaskDigest): string {
  return `${digest.algorithm}:${digest.value}`;
}
