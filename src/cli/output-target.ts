import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdtemp, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { errnoOf } from '../core/errors.js';
import type { TaskDigest } from '../core/task-digest.js';
import { digestFile, expectDigest } from '../peer/output/content-digest.js';
import { asOutputError, checkOutput } from '../peer/output/output-file.js';
import { writeAll } from '../peer/output/write-all.js';
import type { DfgetOptions, Output } from './dfget-options.js';

/** Where the bytes end up, and who writes them. */
export interface OutputTarget {
  /** The daemon writes this file; undefined: it sends the bytes to us. */
  readonly daemonPath: string | undefined;
  /** For people. */
  readonly shown: string;
  /** A piece's bytes, at the offset within the output. */
  readonly write: ((content: Uint8Array, offset: number) => Promise<void>) | undefined;
  /** To be told when the daemon begins, and whether it cleans up after a failure. */
  readonly onBegun: ((cleansUp: boolean) => void) | undefined;
  /** The download succeeded: the output gets its name, or goes to stdout. */
  finish(digest: TaskDigest | undefined): Promise<void>;
  /** Removes what is only ours. Idempotent; nothing happens to a finished output. */
  discard(): Promise<void>;
}

/** @throws UsageError DFP_OUTPUT_EXISTS, DfpeerError DFP_OUTPUT_IO: before anything is downloaded */
export async function openOutput(
  output: Output,
  { overwrite, transferFromDfdaemon }: Pick<DfgetOptions, 'overwrite' | 'transferFromDfdaemon'>,
): Promise<OutputTarget> {
  if (output.kind === 'stdout') return openStdout(transferFromDfdaemon);
  // For a file that is already the daemon's own only the daemon can tell.
  if (transferFromDfdaemon) await checkOutput({ path: output.path, overwrite });
  else await checkOutput({ path: output.path, overwrite: true });
  return transferFromDfdaemon ? openTransfer(output.path) : byDaemon(output.path);
}

/** Dragonfly's daemon leaves what it has written when a download fails, also content with the wrong digest. */
async function byDaemon(path: string): Promise<OutputTarget> {
  const before = await fileIdentity(path);
  let mayLeaveRemains = false;
  return {
    daemonPath: path,
    shown: path,
    write: undefined,
    onBegun: (cleansUp) => {
      mayLeaveRemains = !cleansUp;
    },
    finish: async () => {
      mayLeaveRemains = false;
    },
    discard: async () => {
      if (mayLeaveRemains && (await fileIdentity(path)) !== before) await rm(path, { force: true });
    },
  };
}

/** Differs when another file, or other content, is under this name; undefined: nothing is. */
async function fileIdentity(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, mtimeMs } = await lstat(path);
    return `${dev}:${ino}:${mtimeMs}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** By way of a file, so that not one byte is printed that was not verified. */
async function openStdout(transferFromDfdaemon: boolean): Promise<OutputTarget> {
  const directory = await mkdtemp(join(tmpdir(), 'dfget-'));
  const path = join(directory, 'content');
  const transfer = transferFromDfdaemon ? await openTransfer(path) : undefined;
  return {
    daemonPath: transfer === undefined ? path : undefined,
    shown: 'stdout',
    write: transfer?.write,
    onBegun: undefined,
    finish: async (digest) => {
      await transfer?.finish(digest);
      try {
        await pipeline(createReadStream(path), process.stdout, { end: false });
      } catch (error) {
        // The reader has had enough: `dfget URL -O - | head` is no failure.
        if (errnoOf(error) !== 'EPIPE') throw error;
      }
    },
    discard: async () => {
      await transfer?.discard();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The daemon can't write there: the bytes come through the socket. */
async function openTransfer(path: string): Promise<OutputTarget> {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 50)}.${randomUUID()}.dfget`);
  let file: FileHandle | undefined = await asOutputError(path, () => open(temporary, 'wx'));
  let length = 0;
  const close = async (): Promise<void> => {
    const open = file;
    file = undefined;
    await open?.close();
  };
  return {
    daemonPath: undefined,
    shown: path,
    onBegun: undefined,
    write: async (content, offset) => {
      const open = file;
      if (open !== undefined) await asOutputError(path, () => writeAll(open, content, offset));
      length = Math.max(length, offset + content.length);
    },
    finish: async (digest) => {
      await close();
      if (digest !== undefined)
        expectDigest(await digestFile(temporary, digest.algorithm, { offset: 0, length }), digest, path);
      await rename(temporary, path);
    },
    discard: async () => {
      await close();
      await rm(temporary, { force: true });
    },
  };
}
