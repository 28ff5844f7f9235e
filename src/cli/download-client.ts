import { DeadlineError, DfpeerError } from '../core/errors.js';
import { TrafficType } from '../core/piece.js';
import {
  CLEANS_UP_KEY,
  OUTPUT_METHOD_KEY,
  RATE_LIMIT_KEY,
  NO_HARD_LINK_KEY,
  STORY_KEY,
} from '../grpc/metadata-keys.js';
import {
  decodeDownloadAnswer,
  type DownloadAnswer,
  type DownloadOrder,
  encodeDownloadRequest,
  type ToldPiece,
} from './daemon-call/download-messages.js';
import { callDaemon } from './daemon-call/grpc-call.js';
import { GrpcStatusError } from './daemon-call/status-error.js';
import { type DaemonStory, parseStory } from './daemon-call/story.js';
import type { FoundDaemon } from './daemon-connection.js';
import { type PeerShare, SourceLedger } from './source-ledger.js';

const DOWNLOAD_TASK = '/dfdaemon.v2.DfdaemonDownload/DownloadTask';

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
  /** What was asked for: the content, or a range of it. */
  outputBytes: number;
  /** How the daemon made the output; undefined when it doesn't say (Dragonfly's). */
  outputMethod: string | undefined;
  /** What came from whom over the network; the origin has no peer id. */
  shares: readonly PeerShare[];
  story: DaemonStory;
  /** From the call to the first piece that was told, in milliseconds; undefined without pieces. */
  firstPieceMs: number | undefined;
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
  /** Of the whole call; the daemon hears of it too. */
  timeoutMs: number;
  signal: AbortSignal;
  events: DownloadEvents;
  /** Honoured by our own daemon. */
  rateLimitBytesPerSecond?: number | undefined;
  /** The output must not be the store's own file. Honoured by our own daemon. */
  noHardLink?: boolean;
}

/** One DownloadTask call on a daemon, ours or Dragonfly's. Success only when every wanted piece was reported. */
export async function download(
  daemon: FoundDaemon,
  order: DownloadOrder,
  { timeoutMs, signal, events, rateLimitBytesPerSecond, noHardLink = false }: DownloadOptions,
): Promise<DownloadResult> {
  const follower = new AnswerFollower(events);
  try {
    const trailers = await callDaemon({
      connection: await daemon.connect(),
      path: DOWNLOAD_TASK,
      message: encodeDownloadRequest(order, timeoutMs),
      metadata: {
        ...(rateLimitBytesPerSecond === undefined ? {} : { [RATE_LIMIT_KEY]: String(rateLimitBytesPerSecond) }),
        ...(noHardLink ? { [NO_HARD_LINK_KEY]: 'true' } : {}),
      },
      timeoutMs,
      signal,
      onMetadata: (metadata) => events.onBegun?.(metadata[CLEANS_UP_KEY] !== undefined),
      onMessage: (message) => follower.take(decodeDownloadAnswer(message)),
    });
    const method = trailers[OUTPUT_METHOD_KEY];
    return follower.finish({
      outputMethod: typeof method === 'string' ? method : undefined,
      story: parseStory(trailers[STORY_KEY]),
    });
  } catch (error) {
    throw explain(error, timeoutMs);
  }
}

/** Adds up what the daemon tells. */
class AnswerFollower {
  readonly #events: DownloadEvents;
  readonly #ledger = new SourceLedger();
  readonly #startedMs = performance.now();
  #untold = new Map<number, number>();
  #range = { start: 0, end: 0 };
  #progress: DownloadProgress | undefined;
  #firstPieceMs: number | undefined;

  constructor(events: DownloadEvents) {
    this.#events = events;
  }

  /** Without a promise where there is nothing to wait for. */
  take(answer: DownloadAnswer): Promise<void> | undefined {
    if (answer.started !== undefined) this.#progress = this.#begin(answer, answer.started);
    const { piece } = answer;
    const isNews = piece !== undefined && this.#progress !== undefined && this.#untold.delete(piece.number);
    if (!isNews) return this.#report();
    const { onContent } = this.#events;
    if (piece.content === undefined || onContent === undefined) return this.#count(piece);
    return this.#write(piece, piece.content, onContent).then(() => this.#count(piece));
  }

  finish(told: Pick<DownloadResult, 'outputMethod' | 'story'>): DownloadResult {
    if (this.#progress !== undefined && this.#untold.size === 0) {
      const outputBytes = this.#range.end - this.#range.start;
      return {
        ...{ ...this.#progress, ...told, outputBytes },
        ...{ shares: this.#ledger.shares(), firstPieceMs: this.#firstPieceMs },
      };
    }
    const rest = this.#progress === undefined ? 'nothing' : `${this.#untold.size} pieces`;
    throw new DfpeerError('DFP_TASK_FAILED', `the daemon ended the download with ${rest} still to come; see its log`);
  }

  #begin(
    { taskId, peerId }: DownloadAnswer,
    { contentLength, range, pieces }: NonNullable<DownloadAnswer['started']>,
  ): DownloadProgress {
    this.#untold = new Map(pieces.map(({ number, length }) => [number, length]));
    this.#ledger.clear();
    const start = range?.start ?? 0;
    this.#range = { start, end: start + (range?.length ?? contentLength) };
    const wantedBytes = pieces.reduce((sum, { length }) => sum + length, 0);
    const bytesBySource = { origin: 0, peers: 0, local: 0 };
    return { taskId, peerId, contentLength, wantedBytes, bytes: 0, bytesBySource };
  }

  #count(piece: ToldPiece): undefined {
    this.#firstPieceMs ??= performance.now() - this.#startedMs;
    if (this.#progress === undefined) return;
    this.#progress.bytes += piece.length;
    this.#progress.bytesBySource[sourceOf(piece)] += piece.length;
    if (piece.trafficType !== TrafficType.LOCAL_PEER) this.#ledger.add(piece);
    this.#report();
  }

  #report(): undefined {
    if (this.#progress !== undefined) this.#events.onProgress(this.#progress);
  }

  /** Pieces are whole; of a range only its own bytes are wanted. */
  async #write(
    { offset, length }: ToldPiece,
    content: Buffer,
    write: NonNullable<DownloadEvents['onContent']>,
  ): Promise<void> {
    const { start, end } = this.#range;
    const [from, to] = [Math.max(start, offset), Math.min(end, offset + length)];
    await write(content.subarray(from - offset, to - offset), from - start);
  }
}

function sourceOf({ trafficType }: ToldPiece): keyof DownloadProgress['bytesBySource'] {
  if (trafficType === TrafficType.REMOTE_PEER) return 'peers';
  return trafficType === TrafficType.LOCAL_PEER ? 'local' : 'origin';
}

/** The daemon's own words where it has some; a deadline is ours. */
function explain(error: unknown, timeoutMs: number): unknown {
  if (error instanceof DeadlineError || (error instanceof GrpcStatusError && error.status === 'DEADLINE_EXCEEDED'))
    return new DfpeerError(
      'DFP_DEADLINE',
      `not finished within ${timeoutMs / 1000} s; run it again to go on from there, or give more --timeout`,
      { cause: error },
    );
  if (error instanceof GrpcStatusError)
    return new DfpeerError('DFP_TASK_FAILED', `the daemon could not download it: ${error.message}`, { cause: error });
  return error;
}
