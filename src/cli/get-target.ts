import { throwIfAborted } from '../core/deadline.js';
import { DfpeerError } from '../core/errors.js';
import { formatTaskDigest } from '../core/task-digest.js';
import type { FoundDaemon } from './daemon-connection.js';
import type { DaemonFile } from './daemon-file.js';
import type { DownloadOrder } from './daemon-call/download-messages.js';
import type { DfgetOptions } from './dfget-options.js';
import { download, type DownloadEvents, type DownloadResult } from './download-client.js';
import { type NetrcEntry, withNetrc } from './netrc.js';
import { openOutput } from './output-target.js';
import type { Target } from './url-list.js';

export interface GetContext {
  options: DfgetOptions;
  /** Of the file of --netrc; undefined when it was not asked for. */
  netrc: readonly NetrcEntry[] | undefined;
  /** Found, or started, at the first download. */
  daemon: () => Promise<FoundDaemon>;
  signal: AbortSignal;
  onProgress: DownloadEvents['onProgress'];
  /** What is left is to put it in its place. */
  onDownloaded: () => void;
}

/**
 * One URL through the daemon into its output. Whatever goes wrong, no output is left behind. A daemon that writes no files for this
 * user sends the bytes instead.
 */
export async function getTarget(target: Target, context: GetContext): Promise<Got> {
  const { options } = context;
  try {
    return await getInto(target, context);
  } catch (error) {
    const isForbidden = error instanceof DfpeerError && error.code === 'DFP_OUTPUT_FORBIDDEN';
    if (!isForbidden || options.forceHardLink) throw error;
    return getInto(target, { ...context, options: { ...options, transferFromDfdaemon: true } });
  }
}

interface Got {
  result: DownloadResult;
  shown: string;
}

async function getInto(
  { url, output }: Target,
  { options, netrc, daemon, signal, onProgress, onDownloaded }: GetContext,
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
      timeoutMs: options.timeoutMs,
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
    return { result, shown: place.shown };
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
