import { DeadlineError, DfpeerError } from '../core/errors.js';
import { TrafficType } from '../core/piece.js';
import {
  CLEANS_UP_KEY,
  OUTPUT_DIRECTORY_KEY,
  OUTPUT_METHOD_KEY,
  RATE_LIMIT_KEY,
  NO_HARD_LINK_KEY,
  STORY_KEY,
  TASK_ID_KEY,
  UMASK_KEY,
  WATCHES_KEY,
} from '../grpc/metadata-keys.js';
import {
  decodeDownloadAnswer,
  type DownloadAnswer,
  type DownloadOrder,
  encodeDownloadRequest,
  type ToldPiece,
} from './daemon-call/download-messages.js';
import type { DownloadState } from './daemon-call/download-state.js';
import { callDaemon } from './daemon-call/grpc-call.js';
import { GrpcStatusError } from './daemon-call/status-error.js';
import { type DaemonStory, parseStory } from './daemon-call/story.js';
import type { FoundDaemon } from './daemon-connection.js';
import type { DaemonFile } from './daemon-file.js';
import type { Patience } from './patience.js';
import { type PeerShare, SourceLedger } from './source-ledger.js';
import { RUN_AGAIN } from './summary.js';
import { watchDownload } from './watch-download.js';

const DOWNLOAD_TASK = '/dfdaemon.v2.DfdaemonDownload/DownloadTask';

export interface DownloadProgress {
  taskId: string;
  /** Empty while the length is not known. */
  peerId: string;
  /** Undefined while the origin tells none. */
  contentLength: number | undefined;
  /** Bytes wanted: the content, or the pieces of a range. Undefined like the length. */
  wantedBytes: number | undefined;
  /** Also of pieces that are on their way, where the download is watched. */
  bytes: number;
  bytesBySource: { origin: number; peers: number; local: number };
}

/** Once the length is known; verified pieces only. */
interface ToldProgress extends DownloadProgress {
  contentLength: number;
  wantedBytes: number;
}

export interface DownloadResult extends ToldProgress {
  /** What was asked for: the content, or a range of it. */
  outputBytes: number;
  /** How the output was made; undefined when a daemon that made it doesn't say (Dragonfly's). */
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
}

/** Takes the bytes where the daemon was asked to send them. All of it is awaited. */
export interface ContentSink {
  /** A piece's bytes; the offset is within the output. */
  write(content: Uint8Array, offset: number): Promise<void>;
  /** What was written is of another content: the origin's has changed. */
  startOver(): Promise<void>;
}

export interface DownloadOptions {
  /** What is left of it bounds the call; the daemon hears of that too. */
  patience: Pick<Patience, 'leftMs' | 'timeoutMs'>;
  signal: AbortSignal;
  events: DownloadEvents;
  sink?: ContentSink | undefined;
  /** Honoured by our own daemon. */
  rateLimitBytesPerSecond?: number | undefined;
  /** Which directory the output path means, and the umask. Honoured by our own daemon. */
  daemonFile?: Pick<DaemonFile, 'directory' | 'umask'> | undefined;
  /** The output must not be the store's own file. Honoured by our own daemon. */
  noHardLink?: boolean;
  /** Progress is told within pieces, too. Honoured by our own daemon. */
  watch?: boolean;
}

/** One DownloadTask call on a daemon, ours or Dragonfly's. Success only when every wanted piece was reported. */
export async function download(
  daemon: FoundDaemon,
  order: DownloadOrder,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const { patience, signal, events, sink } = options;
  const timeoutMs = patience.leftMs;
  const follower = new AnswerFollower(events, sink);
  const over = new AbortController();
  try {
    const trailers = await callDaemon({
      connection: await daemon.connect(),
      daemon: daemon.name,
      path: DOWNLOAD_TASK,
      message: encodeDownloadRequest(order, timeoutMs),
      metadata: toMetadata(options),
      timeoutMs,
      signal,
      onMetadata: (metadata) => {
        events.onBegun?.(metadata[CLEANS_UP_KEY] !== undefined);
        const taskId = metadata[TASK_ID_KEY];
        if (typeof taskId !== 'string') return;
        const onState = (state: DownloadState): void => follower.arriving(taskId, state);
        void watchDownload(daemon, taskId, { signal: over.signal, onState });
      },
      onMessage: (message) => follower.take(decodeDownloadAnswer(message)),
    });
    const method = trailers[OUTPUT_METHOD_KEY];
    return follower.finish({
      outputMethod: typeof method === 'string' ? method : undefined,
      story: parseStory(trailers[STORY_KEY]),
    });
  } catch (error) {
    throw explain(error, patience.timeoutMs);
  } finally {
    over.abort();
  }
}

/** What Dragonfly's messages have no fields for. */
function toMetadata(options: DownloadOptions): Record<string, string> {
  const { rateLimitBytesPerSecond, daemonFile, noHardLink, watch } = options;
  const { directory, umask } = daemonFile ?? {};
  return {
    ...(rateLimitBytesPerSecond === undefined ? {} : { [RATE_LIMIT_KEY]: String(rateLimitBytesPerSecond) }),
    ...(directory === undefined ? {} : { [OUTPUT_DIRECTORY_KEY]: directory }),
    ...(umask === undefined ? {} : { [UMASK_KEY]: umask.toString(8) }),
    ...(noHardLink === true ? { [NO_HARD_LINK_KEY]: 'true' } : {}),
    ...(watch === true ? { [WATCHES_KEY]: 'true' } : {}),
  };
}

/** Adds up what the daemon tells. */
class AnswerFollower {
  readonly #events: DownloadEvents;
  readonly #sink: ContentSink | undefined;
  readonly #ledger = new SourceLedger();
  readonly #startedMs = performance.now();
  #untold = new Map<number, number>();
  #range = { start: 0, end: 0 };
  #progress: ToldProgress | undefined;
  /** What was told when the daemon was last looked at, and what was on its way then, by source. */
  #seen = { origin: 0, peers: 0 };
  #firstPieceMs: number | undefined;

  constructor(events: DownloadEvents, sink: ContentSink | undefined) {
    this.#events = events;
    this.#sink = sink;
  }

  /** Without a promise where there is nothing to wait for. */
  take(answer: DownloadAnswer): Promise<void> | undefined {
    const { started, piece } = answer;
    if (started !== undefined) return this.#start(answer, started);
    const isNews = piece !== undefined && this.#progress !== undefined && this.#untold.delete(piece.number);
    if (!isNews) return this.#report();
    if (piece.content === undefined || this.#sink === undefined) return this.#count(piece);
    return this.#write(piece, piece.content, this.#sink).then(() => this.#count(piece));
  }

  /** What the daemon has beyond the pieces that it told of. */
  arriving(taskId: string, { contentLength, storedBytes, arrivingFromOrigin, arrivingFromPeers }: DownloadState): void {
    if (this.#progress !== undefined) {
      const { origin, peers } = this.#progress.bytesBySource;
      this.#seen = { origin: origin + arrivingFromOrigin, peers: peers + arrivingFromPeers };
      return this.#report();
    }
    // Of a content without a length no piece is told before the end, and all of it comes from the origin.
    const bytes = storedBytes + arrivingFromOrigin;
    if (contentLength !== undefined || bytes === 0) return;
    const unknown = { peerId: '', contentLength: undefined, wantedBytes: undefined };
    this.#events.onProgress({ taskId, ...unknown, bytes, bytesBySource: { origin: bytes, peers: 0, local: 0 } });
  }

  finish(told: Pick<DownloadResult, 'outputMethod' | 'story'>): DownloadResult {
    if (this.#progress !== undefined && this.#untold.size === 0) {
      const outputBytes = this.#range.end - this.#range.start;
      return {
        ...this.#progress,
        ...told,
        outputBytes,
        shares: this.#ledger.shares(),
        firstPieceMs: this.#firstPieceMs,
      };
    }
    const rest = this.#progress === undefined ? 'nothing' : `${this.#untold.size} pieces`;
    throw new DfpeerError('DFP_TASK_FAILED', `the daemon ended the download with ${rest} still to come; see its log`);
  }

  #start(answer: DownloadAnswer, started: NonNullable<DownloadAnswer['started']>): Promise<void> | undefined {
    const isAnew = this.#progress !== undefined;
    this.#progress = this.#begin(answer, started);
    this.#report();
    return isAnew ? this.#sink?.startOver() : undefined;
  }

  #begin(
    { taskId, peerId }: DownloadAnswer,
    { contentLength, range, pieces }: NonNullable<DownloadAnswer['started']>,
  ): ToldProgress {
    this.#untold = new Map(pieces.map(({ number, length }) => [number, length]));
    this.#ledger.clear();
    this.#seen = { origin: 0, peers: 0 };
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
    if (this.#progress !== undefined) this.#events.onProgress(withArriving(this.#progress, this.#seen));
  }

  /** Pieces are whole; of a range only its own bytes are wanted. */
  async #write({ offset, length }: ToldPiece, content: Buffer, sink: ContentSink): Promise<void> {
    const { start, end } = this.#range;
    const [from, to] = [Math.max(start, offset), Math.min(end, offset + length)];
    await sink.write(content.subarray(from - offset, to - offset), from - start);
  }
}

/** Of a range the daemon may be fetching more than is wanted. */
function withArriving(progress: ToldProgress, seen: { origin: number; peers: number }): DownloadProgress {
  const { bytes, wantedBytes, bytesBySource: told } = progress;
  const missing = wantedBytes - bytes;
  const origin = Math.min(missing, Math.max(0, seen.origin - told.origin));
  const peers = Math.min(missing - origin, Math.max(0, seen.peers - told.peers));
  const bytesBySource = { ...told, origin: told.origin + origin, peers: told.peers + peers };
  return { ...progress, bytes: bytes + origin + peers, bytesBySource };
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
      `not finished within ${timeoutMs / 1000} s; give more --timeout, or ${RUN_AGAIN}`,
      { cause: error },
    );
  if (error instanceof GrpcStatusError)
    return new DfpeerError('DFP_TASK_FAILED', `the daemon could not download it: ${error.message}`, { cause: error });
  return error;
}
