import { lstat, rm } from 'node:fs/promises';
import type { TaskDigest } from '../core/task-digest.js';
import { unlessGone } from '../core/unless-gone.js';
import { checkOutput } from '../peer/output/output-file.js';
import { type DaemonFile, expectWritten, ownUmask, toDaemonFile } from './daemon-file.js';
import type { DfgetOptions, Output } from './dfget-options.js';
import type { ContentSink } from './download-client.js';

/** Where the bytes end up, and who writes them. */
export interface OutputTarget {
  /** Undefined: the daemon sends the bytes to us. */
  readonly daemonFile: DaemonFile | undefined;
  /** For people. */
  readonly shown: string;
  /** How dfget makes the output; undefined where that is the daemon's. */
  readonly method: 'transferred' | 'stdout' | undefined;
  /** Takes the bytes where the daemon sends them. */
  readonly sink: ContentSink | undefined;
  /** To be told when the daemon begins, and whether it cleans up after a failure. */
  readonly onBegun: ((cleansUp: boolean) => void) | undefined;
  /** The download succeeded: the output gets its name, or goes to stdout. */
  finish(outputBytes: number, digest: TaskDigest | undefined): Promise<void>;
  /** Removes what is only ours. Idempotent; nothing happens to a finished output. */
  discard(): Promise<void>;
}

/** @throws UsageError DFP_OUTPUT_EXISTS, DfpeerError DFP_OUTPUT_IO: before anything is downloaded */
export async function openOutput(
  output: Output,
  { overwrite, transferFromDfdaemon }: Pick<DfgetOptions, 'overwrite' | 'transferFromDfdaemon'>,
  signal: AbortSignal,
): Promise<OutputTarget> {
  // What the daemon writes itself needs none of this, and is most there is.
  const openTransferred = (): Promise<typeof import('./transferred-output.js')> => import('./transferred-output.js');
  if (output.kind === 'stdout') return (await openTransferred()).openStdout(transferFromDfdaemon, signal);
  // For a file that is already the daemon's own only the daemon can tell.
  if (transferFromDfdaemon) await checkOutput({ path: output.path, overwrite });
  else await checkOutput({ path: output.path, overwrite: true });
  return transferFromDfdaemon ? (await openTransferred()).openTransfer(output.path, overwrite) : byDaemon(output.path);
}

/** Dragonfly's daemon leaves what it has written when a download fails, also content with the wrong digest. */
async function byDaemon(path: string): Promise<OutputTarget> {
  const before = await fileIdentity(path);
  let mayLeaveRemains = false;
  return {
    daemonFile: await toDaemonFile(path, ownUmask()),
    shown: path,
    method: undefined,
    sink: undefined,
    onBegun: (cleansUp) => {
      mayLeaveRemains = !cleansUp;
    },
    finish: async (outputBytes) => {
      if (mayLeaveRemains) await expectWritten(path, outputBytes);
      mayLeaveRemains = false;
    },
    discard: async () => {
      if (mayLeaveRemains && (await fileIdentity(path)) !== before) await rm(path, { force: true });
    },
  };
}

/** Differs when another file, or other content, is under this name; undefined: nothing is. */
async function fileIdentity(path: string): Promise<string | undefined> {
  const stats = await unlessGone(lstat(path), undefined);
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}:${stats.mtimeMs}`;
}
