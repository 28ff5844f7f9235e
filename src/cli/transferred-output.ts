import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { throwIfAborted } from '../core/deadline.js';
import { DfpeerError, errnoOf } from '../core/errors.js';
import { asOutputError } from '../peer/output/output-file.js';
import { expectWritten, toDaemonFile } from './daemon-file.js';
import type { OutputTarget } from './output-target.js';
import { untilReaderGoes } from './print.js';
import { removeAtExit } from './remove-at-exit.js';
import { TransferredFile } from './transferred-file.js';

/** By way of a file, so that not one byte is printed that was not verified. */
export async function openStdout(transferFromDfdaemon: boolean, signal: AbortSignal): Promise<OutputTarget> {
  const directory = await makeTemporaryDirectory();
  const forget = removeAtExit(directory);
  const path = join(directory, 'content');
  const transfer = transferFromDfdaemon ? await openTransfer(path, true) : undefined;
  return {
    daemonFile: transfer === undefined ? await toDaemonFile(path, undefined) : undefined,
    shown: 'stdout',
    method: 'stdout',
    sink: transfer?.sink,
    onBegun: undefined,
    finish: async (outputBytes, digest) => {
      if (transfer === undefined) await expectWritten(path, outputBytes);
      else await transfer.finish(outputBytes, digest);
      await writeToStdout(path, directory, signal);
    },
    discard: async () => {
      await transfer?.discard();
      await rm(directory, { recursive: true, force: true });
      forget();
    },
  };
}

/** For as long as its reader likes: the file has no name meanwhile, so that nothing can leave it behind. */
async function writeToStdout(path: string, directory: string, signal: AbortSignal): Promise<void> {
  const file = await asOutputError(path, () => open(path, 'r'));
  try {
    await rm(directory, { recursive: true, force: true });
    await untilReaderGoes(() =>
      pipeline(file.createReadStream({ autoClose: false }), process.stdout, { end: false, signal }),
    );
  } catch (error) {
    throwIfAborted(signal, 'writing to stdout');
    throw error;
  } finally {
    await file.close();
  }
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
    method: 'transferred',
    sink: file,
    onBegun: undefined,
    finish: (outputBytes, digest) => file.publish({ outputBytes, digest, overwrite }),
    discard: () => file.discard(),
  };
}
