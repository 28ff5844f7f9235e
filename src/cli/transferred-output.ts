import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DfpeerError, errnoOf } from '../core/errors.js';
import { expectWritten, toDaemonFile } from './daemon-file.js';
import type { OutputTarget } from './output-target.js';
import { untilReaderGoes } from './print.js';
import { TransferredFile } from './transferred-file.js';

/** By way of a file, so that not one byte is printed that was not verified. */
export async function openStdout(transferFromDfdaemon: boolean): Promise<OutputTarget> {
  const directory = await makeTemporaryDirectory();
  const path = join(directory, 'content');
  const transfer = transferFromDfdaemon ? await openTransfer(path, true) : undefined;
  return {
    daemonFile: transfer === undefined ? await toDaemonFile(path, undefined) : undefined,
    shown: 'stdout',
    sink: transfer?.sink,
    onBegun: undefined,
    finish: async (outputBytes, digest) => {
      if (transfer === undefined) await expectWritten(path, outputBytes);
      else await transfer.finish(outputBytes, digest);
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
export async function openTransfer(path: string, overwrite: boolean): Promise<OutputTarget> {
  const file = await TransferredFile.open(path);
  return {
    daemonFile: undefined,
    shown: path,
    sink: file,
    onBegun: undefined,
    finish: (outputBytes, digest) => file.publish({ outputBytes, digest, overwrite }),
    discard: () => file.discard(),
  };
}
