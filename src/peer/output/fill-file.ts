import { type FileHandle } from 'node:fs/promises';
import { cloneFile, copyFileRange } from '../../../native/index.js';
import { throwIfAborted } from '../../core/deadline.js';
import { DfpeerError } from '../../core/errors.js';
import type { ByteRange } from '../../core/piece.js';
import { writeAll } from './write-all.js';

/** How bytes get from the store into a file of their own, best first. */
export type CopyMethod = 'reflink' | 'copy-file-range' | 'copy';

const CHUNK_BYTES = 1024 * 1024;

export interface FillOptions {
  source: FileHandle;
  target: FileHandle;
  range: ByteRange;
  /** The range is all of the source. */
  isWhole: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Fills an empty file: shared blocks where both are on one file system that can (xfs, btrfs), then a copy within the
 * kernel, then one through user space. The method named is the one that moved the last byte.
 * @throws SyscallError, NodeJS.ErrnoException for what is not about support (ENOSPC, EIO), DfpeerError DFP_STORE_DAMAGED
 */
export async function fillFile(options: FillOptions): Promise<CopyMethod> {
  const { source, target, range, isWhole, signal } = options;
  throwIfAborted(signal, 'writing the output');
  if (isWhole && (await cloneFile(source, target)) === 'cloned') return 'reflink';
  const { bytesCopied, outcome } = await copyFileRange(source, target, {
    ...range,
    targetOffset: 0,
    ...(signal === undefined ? {} : { signal }),
  });
  throwIfAborted(signal, 'writing the output');
  if (outcome === 'complete') return 'copy-file-range';
  // A copy that ends early: some file systems say so where a plain read still finds bytes.
  await copyThroughBuffer(options, bytesCopied);
  return 'copy';
}

async function copyThroughBuffer({ source, target, range, signal }: FillOptions, from: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(range.length - from, 1)));
  for (let done = from; done < range.length;) {
    throwIfAborted(signal, 'writing the output');
    const wanted = Math.min(buffer.length, range.length - done);
    const { bytesRead } = await source.read(buffer, 0, wanted, range.offset + done);
    if (bytesRead === 0) throw new DfpeerError('DFP_STORE_DAMAGED', `the stored file ends at ${range.offset + done}`);
    await writeAll(target, buffer.subarray(0, bytesRead), done);
    done += bytesRead;
  }
}
