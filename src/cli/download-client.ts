import {
  credentials,
  status as grpcStatus,
  type ClientReadableStream,
  Metadata,
  type StatusObject,
} from '@grpc/grpc-js';
import { AbortedError, DfpeerError } from '../core/errors.js';
import { TrafficType } from '../core/piece.js';
import type { Piece__Output } from '../generated/common/v2/Piece.js';
import type { Download } from '../generated/common/v2/Download.js';
import type { DownloadTaskResponse__Output } from '../generated/dfdaemon/v2/DownloadTaskResponse.js';
import { DfdaemonDownload } from '../grpc/protos.js';
import { fromGrpcError } from '../grpc/status.js';

/** Trailer of our own daemon. */
const OUTPUT_METHOD_HEADER = 'dfpeer-output-method';
/** Initial metadata of our own daemon. */
const CLEANS_UP_HEADER = 'dfpeer-cleans-up';
/** Request metadata for our own daemon, in bytes per second. */
const RATE_LIMIT_HEADER = 'dfpeer-rate-limit';

export interface DownloadProgress {
  taskId: string;
  peerId: string;
  contentLength: number;
  /** Bytes wanted: the content, or the pieces of a range. */
  wantedBytes: number;
  bytes: number;
  bytesBySource: { origin: number; peers: number; local: number };
}

export interface DownloadResult extends DownloadProgress {
  /** How the daemon made the output; undefined when it doesn't say (Dragonfly's). */
  outputMethod: string | undefined;
}

/** Whoever shows how it goes. */
export interface DownloadEvents {
  onProgress(progress: DownloadProgress): void;
  /** The daemon has begun. `cleansUp`: it leaves no output behind when it fails. */
  onBegun?: ((cleansUp: boolean) => void) | undefined;
  /** A piece's bytes, where the daemon was asked to send them; the offset is within the output. Awaited. */
  onContent?: ((content: Uint8Array, offset: number) => Promise<void>) | undefined;
}

export interface DownloadOptions {
  timeoutMs: number;
  signal: AbortSignal;
  events: DownloadEvents;
  /** Honoured by our own daemon. */
  rateLimitBytesPerSecond?: number | undefined;
}

/** One DownloadTask call on a daemon's unix socket, ours or Dragonfly's. Success only when every wanted piece was reported. */
export async function download(
  socketPath: string,
  message: Download,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const client = new DfdaemonDownload(`unix:${socketPath}`, credentials.createInsecure(), {
    'grpc.enable_retries': 0,
    'grpc.max_receive_message_length': -1,
  });
  const metadata = new Metadata();
  if (options.rateLimitBytesPerSecond !== undefined)
    metadata.set(RATE_LIMIT_HEADER, String(options.rateLimitBytesPerSecond));
  try {
    const call = client.downloadTask({ download: message }, metadata, { deadline: Date.now() + options.timeoutMs });
    const onAbort = (): void => call.cancel();
    options.signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await follow(call, options.events);
    } catch (error) {
      if (options.signal.aborted) throw new AbortedError('the download', { cause: error });
      throw explain(error, options.timeoutMs);
    } finally {
      options.signal.removeEventListener('abort', onAbort);
    }
  } finally {
    client.close();
  }
}

async function follow(
  call: ClientReadableStream<DownloadTaskResponse__Output>,
  events: DownloadEvents,
): Promise<DownloadResult> {
  const trailer = new Promise<Metadata>((resolve) =>
    call.once('status', (final: StatusObject) => resolve(final.metadata)),
  );
  call.once('metadata', (metadata: Metadata) => events.onBegun?.(metadata.get(CLEANS_UP_HEADER).length > 0));
  let progress: DownloadProgress | undefined;
  let untold = new Map<number, number>();
  let [rangeStart, rangeEnd] = [0, 0];
  for await (const each of call) {
    const response = each as DownloadTaskResponse__Output;
    const started = response.downloadTaskStartedResponse;
    if (started !== null && started !== undefined) {
      untold = new Map(started.pieces.map(({ number, length }) => [number, length]));
      rangeStart = started.range?.start ?? 0;
      rangeEnd = rangeStart + (started.range?.length ?? started.contentLength);
      const wantedBytes = [...untold.values()].reduce((sum, length) => sum + length, 0);
      progress = {
        taskId: response.taskId,
        peerId: response.peerId,
        contentLength: started.contentLength,
        wantedBytes,
        bytes: 0,
        bytesBySource: { origin: 0, peers: 0, local: 0 },
      };
    }
    const piece = response.downloadPieceFinishedResponse?.piece;
    if (progress !== undefined && piece !== null && piece !== undefined && untold.delete(piece.number)) {
      if (piece.content !== undefined && events.onContent !== undefined)
        await writeContent(piece, rangeStart, rangeEnd, events.onContent);
      progress.bytes += piece.length;
      progress.bytesBySource[sourceOf(piece.trafficType)] += piece.length;
    }
    if (progress !== undefined) events.onProgress(progress);
  }
  if (progress === undefined || untold.size > 0)
    throw new DfpeerError(
      'DFP_TASK_FAILED',
      `the daemon ended the download with ${progress === undefined ? 'nothing' : `${untold.size} pieces`} still to come; see its log`,
    );
  const [method] = (await trailer).get(OUTPUT_METHOD_HEADER);
  return { ...progress, outputMethod: method?.toString() };
}

function sourceOf(trafficType: number | undefined): keyof DownloadProgress['bytesBySource'] {
  if (trafficType === TrafficType.REMOTE_PEER) return 'peers';
  return trafficType === TrafficType.LOCAL_PEER ? 'local' : 'origin';
}

/** The daemon's own words where it has some; a deadline is ours. */
function explain(error: unknown, timeoutMs: number): DfpeerError {
  const coded = fromGrpcError(error, 'DFP_TASK_FAILED', 'the daemon could not download it');
  const isDeadline =
    error instanceof Error &&
    'code' in error &&
    error.code === grpcStatus.DEADLINE_EXCEEDED &&
    coded.code === 'DFP_TASK_FAILED';
  return isDeadline
    ? new DfpeerError(
        'DFP_DEADLINE',
        `not finished within ${timeoutMs / 1000} s; run it again to go on from there, or give more --timeout`,
        { cause: error },
      )
    : coded;
}

/** Pieces are whole; of a range only its own bytes are wanted. */
async function writeContent(
  piece: Piece__Output,
  start: number,
  end: number,
  write: NonNullable<DownloadEvents['onContent']>,
): Promise<void> {
  const from = Math.max(start, piece.offset);
  const to = Math.min(end, piece.offset + piece.length);
  await write((piece.content ?? Buffer.alloc(0)).subarray(from - piece.offset, to - piece.offset), from - start);
}
