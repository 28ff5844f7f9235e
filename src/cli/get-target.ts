import { throwIfAborted } from '../core/deadline.js';
import { hasCode } from '../core/errors.js';
import { formatTaskDigest } from '../core/task-digest.js';
import type { FoundDaemon } from './daemon-connection.js';
import type { DaemonFile } from './daemon-file.js';
import type { DownloadOrder } from './daemon-call/download-messages.js';
import type { DfgetOptions } from './dfget-options.js';
import type { Daemons } from './find-daemon.js';
import { download, type DownloadEvents, type DownloadResult } from './download-client.js';
import { type NetrcEntry, withNetrc } from './netrc.js';
import { openOutput } from './output-target.js';
import { Patience } from './patience.js';
import type { Target } from './url-list.js';

export interface GetContext {
  options: DfgetOptions;
  /** Of the file of --netrc; undefined when it was not asked for. */
  netrc: readonly NetrcEntry[] | undefined;
  /** Found, or started, at the first download. */
  daemons: Pick<Daemons, 'current' | 'replace'>;
  signal: AbortSignal;
  onProgress: DownloadEvents['onProgress'];
  /** What is left is to put it in its place. */
  onDownloaded: () => void;
}

/** One URL through the daemon into its output. Whatever goes wrong, no output is left behind. A daemon that is shutting down is waited for. */
export async function getTarget(target: Target, context: GetContext): Promise<Got> {
  const patience = new Patience(context.options.timeoutMs);
  for (;;) {
    let asked: FoundDaemon | undefined;
    const daemon = async (): Promise<FoundDaemon> => {
      asked = await context.daemons.current();
      patience.begin();
      return asked;
    };
    try {
      return await getAnyway(target, { ...context, daemon, patience });
    } catch (error) {
      if (asked === undefined || !hasCode(error, 'DFP_SHUTTING_DOWN')) throw error;
      await context.daemons.replace(asked, patience.forShutdown(error));
    }
  }
}

/** A daemon that writes no files for this user sends the bytes instead. */
async function getAnyway(target: Target, attempt: Attempt): Promise<Got> {
  const { options } = attempt;
  try {
    return await getInto(target, attempt);
  } catch (error) {
    if (!hasCode(error, 'DFP_OUTPUT_FORBIDDEN') || options.forceHardLink) throw error;
    return getInto(target, { ...attempt, options: { ...options, transferFromDfdaemon: true } });
  }
}

type Attempt = Omit<GetContext, 'daemons'> & { daemon: () => Promise<FoundDaemon>; patience: Patience };

interface Got {
  result: DownloadResult;
  shown: string;
}

async function getInto(
  { url, output }: Target,
  { options, netrc, daemon, patience, signal, onProgress, onDownloaded }: Attempt,
): Promise<Got> {
  throwIfAborted(signal, 'the download');
  const place = await openOutput(output, options, signal);
  try {
    const headers = withNetrc(
      options.requestHeader,
      url,
      netrc && { entries: netrc, optional: options.netrc?.optional === true },
    );
    const result = await download(await daemon(), toOrder(url, headers, options, place.daemonFile), {
      patience,
      signal,
      events: { onProgress, onBegun: place.onBegun },
      sink: place.sink,
      daemonFile: place.daemonFile,
      rateLimitBytesPerSecond: options.rateLimitBytesPerSecond,
      noHardLink: options.noHardLink,
      watch: options.showProgress || options.json,
    });
    onDownloaded();
    await place.finish(result.outputBytes, options.digest);
    return { result: { ...result, outputMethod: place.method ?? result.outputMethod }, shown: place.shown };
  } finally {
    await place.discard();
  }
}

function toOrder(
  url: string,
  requestHeader: Readonly<Record<string, string>>,
  options: DfgetOptions,
  daemonFile: DaemonFile | undefined,
): DownloadOrder {
  const { digest, range } = options;
  return {
    url,
    tag: options.tag,
    application: options.application,
    priority: options.priority,
    filteredQueryParams: options.filteredQueryParams,
    requestHeader: range === undefined ? requestHeader : { ...requestHeader, Range: range },
    disableBackToSource: options.disableBackToSource,
    forceHardLink: options.forceHardLink,
    overwrite: options.overwrite,
    needPieceContent: daemonFile === undefined,
    outputPath: daemonFile?.path,
    digest: digest === undefined ? undefined : formatTaskDigest(digest),
    pieceLength: options.pieceLength,
    contentForCalculatingTaskId: options.contentForCalculatingTaskId,
  };
}
