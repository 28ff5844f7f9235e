import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DfpeerError, errnoOf } from '../core/errors.js';
import { digestFile, expectDigest } from '../peer/output/content-digest.js';
import { asOutputError } from '../peer/output/output-file.js';
import { writeAll } from '../peer/output/write-all.js';
import type { OutputTarget } from './output-target.js';
import { untilReaderGoes } from './print.js';

/** By way of a file, so that not one byte is printed that was not verified. */
export async function openStdout(transferFromDfdaemon: boolean): Promise<OutputTarget> {
  const directory = await makeTemporaryDirectory();
  const path = join(directory, 'content');
  const transfer = transferFromDfdaemon ? await openTransfer(path) : undefined;
  return {
    daemonPath: transfer === undefined ? path : undefined,
    shown: 'stdout',
    write: transfer?.write,
    onBegun: undefined,
    finish: async (digest) => {
      await transfer?.finish(digest);
      await untilReaderGoes(() => pipeline(createReadStream(path), process.stdout, { end: false }));
    },
    discard: async () => {
      await transfer?.discard();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function makeTemporaryDirectory(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), 'dfget-'));
  } catch (cause) {
    throw new DfpeerError(
      'DFP_OUTPUT_IO',
      `no temporary directory can be made in ${tmpdir()} (${errnoOf(cause) ?? String(cause)}); set TMPDIR to a directory that can be written`,
      { cause },
    );
  }
}

/** The daemon can't write there: the bytes come through the socket. */
export async function openTransfer(path: string): Promise<OutputTarget> {
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
      await asOutputError(path, () => rename(temporary, path));
    },
    discard: async () => {
      await close();
      await rm(temporary, { force: true });
    },
  };
}
