import { link, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { throwIfAborted } from '../../core/deadline.js';
import { asError, DfpeerError, errnoOf } from '../../core/errors.js';
import type { ByteRange } from '../../core/piece.js';
import { asForbidden } from './daemon-reach.js';
import { fillFile } from './fill-file.js';
import { asOutputError, checkOutput, isSameFile, outputExists } from './output-file.js';
import { temporaryNameFor } from './temporary-name.js';
import { TemporaryOutput } from './temporary-output.js';

/** How the bytes got from the store to the output; told to dfget and counted. */
export const OUTPUT_METHODS = ['hard-link', 'reflink', 'copy-file-range', 'copy', 'already-there'] as const;
export type OutputMethod = (typeof OUTPUT_METHODS)[number];

export interface OutputRequest {
  /** The task's data file, with all bytes that are wanted. */
  source: string;
  /** Absolute. */
  path: string;
  /** Bytes. */
  contentLength: number;
  /** Only these bytes; undefined: all. */
  range: ByteRange | undefined;
  overwrite: boolean;
  /** A hard link, or an error. */
  forceHardLink: boolean;
  /** False: never share the store's inode, as the file is going to be edited in place. */
  allowHardLink: boolean;
  /** Permissions of a file that is made, and the most that the store's own may have to be linked unasked; undefined: as this process makes files. */
  mode?: number | undefined;
  /** Asked once the output has its bytes, before it counts; rejects when the stored file is not, or no longer, what was verified. */
  assertUntouched: () => Promise<void>;
  signal?: AbortSignal | undefined;
}

/**
 * Makes the output: absent or complete, never in between. Hard link, then reflink, then copy_file_range, then a plain copy:
 * whichever the file system gives.
 * @throws UsageError DFP_OUTPUT_EXISTS, DfpeerError DFP_HARD_LINK, DFP_OUTPUT_IO, DFP_STORE_DAMAGED, DFP_TASK_NOT_FOUND, DFP_ABORTED;
 * DFP_OUTPUT_FORBIDDEN where its client may still be able to write
 */
export async function placeOutput(request: OutputRequest): Promise<OutputMethod> {
  try {
    return await asOutputError(request.path, () => place(request));
  } catch (error) {
    throw asForbidden(request.path, error);
  }
}

async function place(request: OutputRequest): Promise<OutputMethod> {
  const { source, path, range, forceHardLink, allowHardLink } = request;
  if (forceHardLink && range !== undefined)
    throw new DfpeerError('DFP_HARD_LINK', 'a range of a task can not be a hard link; leave out --force-hard-link');
  if (forceHardLink && !allowHardLink)
    throw new DfpeerError('DFP_HARD_LINK', 'a hard link is both demanded and forbidden; drop one of the two flags');
  await checkOutput(request);
  if (allowHardLink && range === undefined) {
    if (await isSameFile(source, path)) {
      await request.assertUntouched();
      return 'already-there';
    }
    const mayLink = forceHardLink || !(await allowsMore(source, request.mode));
    if (mayLink && (await makeHardLink(request))) return 'hard-link';
  }
  return copyOut(request);
}

/** False where there can be none, and a copy will do. @throws as {@link tryHardLink}, DfpeerError DFP_HARD_LINK */
async function makeHardLink(request: OutputRequest): Promise<boolean> {
  const failure = await tryHardLink(request);
  if (failure !== undefined && request.forceHardLink)
    throw new DfpeerError(
      'DFP_HARD_LINK',
      `no hard link from the store to ${dirname(request.path)}: ${errnoOf(failure) ?? failure.message}; put both on one file system, or leave out --force-hard-link`,
      { cause: failure },
    );
  return failure === undefined;
}

/** A link has the permissions of the stored file, and to change those would change them for all. */
async function allowsMore(source: string, mode: number | undefined): Promise<boolean> {
  return mode !== undefined && ((await stat(source)).mode & 0o777 & ~mode) !== 0;
}

/** Resolves with why it can't be had. @throws UsageError DFP_OUTPUT_EXISTS, DfpeerError DFP_STORE_DAMAGED, DFP_TASK_NOT_FOUND */
async function tryHardLink({
  source,
  path,
  overwrite,
  assertUntouched,
  signal,
}: OutputRequest): Promise<Error | undefined> {
  await assertUntouched();
  const name = overwrite ? temporaryNameFor(path) : path;
  try {
    await link(source, name);
  } catch (error) {
    if (!overwrite && errnoOf(error) === 'EEXIST') {
      // Somebody asked for the same at the same time.
      if (await isSameFile(source, path)) return undefined;
      throw outputExists(path, error);
    }
    return asError(error);
  }
  let isPlaced = false;
  try {
    // Again: `source` is a name, and may have become another task's since.
    await assertUntouched();
    // Whoever has stopped waiting was told that there is no output.
    throwIfAborted(signal, 'the output');
    if (overwrite) await rename(name, path);
    else isPlaced = true;
    return undefined;
  } finally {
    // rename(2) does nothing when both names are one file already.
    if (!isPlaced) await rm(name, { force: true });
  }
}

async function copyOut(request: OutputRequest): Promise<OutputMethod> {
  const { path, range, contentLength, overwrite, mode, signal } = request;
  const source = await open(request.source, 'r');
  try {
    const target = await TemporaryOutput.open(path, mode);
    try {
      const method = await fillFile({
        source,
        target: target.file,
        range: range ?? { offset: 0, length: contentLength },
        isWhole: range === undefined,
        signal,
      });
      await request.assertUntouched();
      throwIfAborted(signal, 'the output');
      await target.publish(overwrite);
      return method;
    } finally {
      await target.discard();
    }
  } finally {
    await source.close();
  }
}
