import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DfpeerError, errnoOf, UsageError } from '../../core/errors.js';
import type { ByteRange } from '../../core/piece.js';

/** How the bytes got from the store to the output; shown by --explain and counted. */
export type OutputMethod = 'hard-link' | 'reflink' | 'copy' | 'already-there';

export interface OutputRequest {
  /** The task's complete data file. */
  source: string;
  /** Absolute. */
  path: string;
  /** Only these bytes; undefined: all. */
  range: ByteRange | undefined;
  overwrite: boolean;
  /** A hard link, or an error. */
  forceHardLink: boolean;
  /** False: never share the store's inode, as the file is going to be edited in place. */
  allowHardLink: boolean;
}

const COPY_CHUNK_BYTES = 1024 * 1024;

/**
 * Makes the output: absent or complete, never in between. Hard link, then reflink, then copy, whichever the file system gives.
 * @throws UsageError DFP_OUTPUT_EXISTS, DfpeerError DFP_HARD_LINK, DFP_OUTPUT_IO
 */
export async function placeOutput(request: OutputRequest): Promise<OutputMethod> {
  try {
    return await place(request);
  } catch (error) {
    if (error instanceof DfpeerError) throw error;
    throw new DfpeerError('DFP_OUTPUT_IO', `could not write ${request.path}: ${errnoOf(error) ?? String(error)}`, {
      cause: error,
    });
  }
}

/** Fails early: before a long download rather than after it. */
export async function checkOutput(
  request: Pick<OutputRequest, 'path' | 'overwrite'> & { source?: string | undefined },
): Promise<void> {
  const directory = await statOrUndefined(dirname(request.path));
  if (directory?.isDirectory() !== true)
    throw new DfpeerError(
      'DFP_OUTPUT_IO',
      `the directory ${dirname(request.path)} does not exist; make it, or give another output path`,
    );
  const existing = await statOrUndefined(request.path);
  if (existing === undefined) return;
  if (existing.isDirectory())
    throw new UsageError(
      `output path ${request.path} is a directory; give a file name`,
      undefined,
      'DFP_OUTPUT_EXISTS',
    );
  if (request.overwrite) return;
  const source = request.source === undefined ? undefined : await statOrUndefined(request.source);
  if (source?.ino === existing.ino && source.dev === existing.dev) return;
  throw new UsageError(
    `output path ${request.path} exists already; use --overwrite to replace it`,
    undefined,
    'DFP_OUTPUT_EXISTS',
  );
}

async function place(request: OutputRequest): Promise<OutputMethod> {
  const { source, path, range } = request;
  await checkOutput(request);
  if (range === undefined && (await isSameFile(source, path))) return 'already-there';
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.dfpeer`);
  try {
    const method = await fill(request, temporary);
    await publish(temporary, request);
    return method;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function fill(
  { source, range, forceHardLink, allowHardLink }: OutputRequest,
  temporary: string,
): Promise<OutputMethod> {
  if (forceHardLink || (allowHardLink && range === undefined)) {
    if (range !== undefined)
      throw new DfpeerError('DFP_HARD_LINK', 'a range of a task can not be a hard link; leave out --force-hard-link');
    const failure = await attempt(() => link(source, temporary));
    if (failure === undefined) return 'hard-link';
    if (forceHardLink)
      throw new DfpeerError(
        'DFP_HARD_LINK',
        `no hard link from the store to ${dirname(temporary)}: ${errnoOf(failure) ?? failure.message}; put both on one file system, or leave out --force-hard-link`,
        { cause: failure },
      );
  }
  if (range !== undefined) {
    await copyRange(source, temporary, range);
    return 'copy';
  }
  if (
    (await attempt(() => copyFile(source, temporary, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL))) ===
    undefined
  )
    return 'reflink';
  await rm(temporary, { force: true });
  // libuv uses copy_file_range where the kernel has it.
  await copyFile(source, temporary, constants.COPYFILE_EXCL);
  return 'copy';
}

/** Gives the finished file its name, atomically; without `overwrite` a file that appeared meanwhile is kept. */
async function publish(temporary: string, { path, overwrite }: OutputRequest): Promise<void> {
  if (overwrite) return rename(temporary, path);
  try {
    await link(temporary, path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST')
      throw new UsageError(
        `output path ${path} exists already; use --overwrite to replace it`,
        { cause: error },
        'DFP_OUTPUT_EXISTS',
      );
    // A file system without hard links: the name was free a moment ago.
    await rename(temporary, path);
  }
}

async function copyRange(source: string, target: string, range: ByteRange): Promise<void> {
  const from = await open(source, 'r');
  let to: FileHandle | undefined;
  try {
    to = await open(target, 'wx');
    const buffer = Buffer.allocUnsafe(Math.min(COPY_CHUNK_BYTES, Math.max(range.length, 1)));
    for (let done = 0; done < range.length;) {
      const { bytesRead } = await from.read(
        buffer,
        0,
        Math.min(buffer.length, range.length - done),
        range.offset + done,
      );
      if (bytesRead === 0) throw new DfpeerError('DFP_STORE_DAMAGED', `the stored file ends at ${range.offset + done}`);
      await to.writeFile(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
  } finally {
    await from.close();
    await to?.close();
  }
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = [await statOrUndefined(a), await statOrUndefined(b)];
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev;
}

async function statOrUndefined(path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function attempt(work: () => Promise<void>): Promise<Error | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
