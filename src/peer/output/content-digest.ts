import { open } from 'node:fs/promises';
import { DfpeerError } from '../../core/errors.js';
import type { ByteRange } from '../../core/piece.js';
import { createDigestHasher } from '../../core/digest-hasher.js';
import { formatTaskDigest, type DigestAlgorithm, type TaskDigest } from '../../core/task-digest.js';
import { throwIfAborted } from '../../core/deadline.js';

/** One read and one update at a time: about half a millisecond of the event loop each. */
const CHUNK_BYTES = 512 * 1024;

/** The digest of a file, or of a range of it, as it is on disk. */
export async function digestFile(
  path: string,
  algorithm: DigestAlgorithm,
  range: ByteRange,
  signal?: AbortSignal,
): Promise<TaskDigest> {
  const hasher = createDigestHasher(algorithm);
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let done = 0; done < range.length;) {
      throwIfAborted(signal, `the digest of ${path}`);
      const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK_BYTES, range.length - done), range.offset + done);
      if (bytesRead === 0) throw new DfpeerError('DFP_STORE_DAMAGED', `${path} ends at ${range.offset + done}`);
      hasher.update(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
  } finally {
    await file.close();
  }
  return { algorithm, value: hasher.value() };
}

/** @throws DfpeerError DFP_DIGEST_MISMATCH */
export function expectDigest(found: TaskDigest, wanted: TaskDigest, what: string): void {
  if (found.value !== wanted.value)
    throw new DfpeerError(
      'DFP_DIGEST_MISMATCH',
      `${what} has ${formatTaskDigest(found)}, but ${formatTaskDigest(wanted)} was demanded; no output was written: check the digest, and what the origin has`,
    );
}
