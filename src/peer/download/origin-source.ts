import { sleep } from '../../core/deadline.js';
import { OriginError, toDfpeerError } from '../../core/errors.js';
import type { PieceSlice } from '../../core/piece.js';
import { redactUrl } from '../../core/redact.js';
import { traced } from '../../core/tracing.js';
import type { StoredTask } from '../store/stored-task.js';
import { isRetryable, isTurnedAway, retryAfterMsOf } from '../fetch/fetch-errors.js';
import type { FetchCommon, FetchedPiece, OriginContent } from '../fetch/piece-fetcher.js';
import type { DownloadDependencies } from './dependencies.js';
import type { DownloadRequest } from './download-request.js';
import type { NamedWaits } from './named-waits.js';
import type { OriginRoom } from './origin-rooms.js';

const FIRST_RETRY_DELAY_MS = 200;
/** However long an origin asks us to stay away. */
export const MAX_RETRY_DELAY_MS = 5_000;
/** While others are asking: by then one of them would have made room. */
export const MAX_TIMES_TURNED_AWAY = 100;
/** Their pauses grow no further. */
const SHORT_PAUSES = 3;
/** So long one is asked again that says "too many requests", or when to come back: many nodes may be asking it at the same moment. */
export const TOO_MANY_PATIENCE_MS = 30_000;

interface OriginSourceContext {
  signal: AbortSignal;
  waits: NamedWaits;
  onBytes: () => void;
}

/** The origin of one task: asks, retries what is worth retrying, and says what is not. */
export class OriginSource {
  readonly #dependencies: DownloadDependencies;
  readonly #request: DownloadRequest;
  readonly #signal: AbortSignal;
  readonly #waits: NamedWaits;
  readonly #onBytes: () => void;
  /** For people. */
  readonly #name: string;
  #givenPieces = 0;

  /** `onBytes`: some came. */
  constructor(
    dependencies: DownloadDependencies,
    request: DownloadRequest,
    { signal, waits, onBytes }: OriginSourceContext,
  ) {
    this.#dependencies = dependencies;
    this.#request = request;
    this.#signal = signal;
    this.#waits = waits;
    this.#onBytes = onBytes;
    this.#name = `the origin ${redactUrl(request.url)}`;
  }

  /** `inOneAnswer`: all of it is to come in one, which alone is asked for. `canDoWithout`: what it tells is known well enough. */
  async stat({ inOneAnswer = false, canDoWithout = false } = {}): Promise<OriginContent> {
    const { fetcher, settings } = this.#dependencies;
    const { url, trust } = this.#request;
    const requestHeader = mergeHeaders(settings.originRequestHeader, this.#request.requestHeader);
    const ask = (): Promise<OriginContent> =>
      fetcher.statOrigin({
        url,
        requestHeader,
        signal: this.#signal,
        timeoutMs: settings.originTimeoutMs,
        trust,
        inOneAnswer,
      });
    return this.#retrying('ask the origin', ask, { patienceMs: canDoWithout ? 0 : TOO_MANY_PATIENCE_MS });
  }

  /** Into the task's file, whose children may have its blocks as they come. */
  async fetchPiece(
    origin: OriginContent,
    task: StoredTask,
    slice: PieceSlice,
    signal: AbortSignal = this.#signal,
  ): Promise<FetchedPiece> {
    const attributes = { 'piece.number': slice.number, 'piece.size': slice.length };
    return traced(this.#dependencies.tracer, 'piece from origin', attributes, () =>
      this.#retrying(
        `fetch piece ${slice.number} from the origin`,
        () => this.#fetchOnce(origin, task, slice, signal),
        { signal },
      ),
    );
  }

  async #fetchOnce(
    origin: OriginContent,
    task: StoredTask,
    slice: PieceSlice,
    signal: AbortSignal,
  ): Promise<FetchedPiece> {
    const { fetcher, budgets } = this.#dependencies;
    const arrival = task.arrivals.begin(slice, { isFromOrigin: true });
    try {
      const piece = await fetcher.fromOrigin({
        ...this.#common(task.path),
        blocks: arrival,
        budgets: budgets.forOriginPiece(),
        signal,
        origin,
        slice,
      });
      this.#givenPieces++;
      return piece;
    } finally {
      task.arrivals.end(arrival);
    }
  }

  /** A stream that breaks begins again at the first byte; `storedNow` says which pieces are then compared instead of written. */
  async stream(
    origin: OriginContent,
    path: string,
    { pieceLength, storedNow }: { pieceLength: number; storedNow: () => number[] },
    onPiece: (piece: FetchedPiece) => Promise<void>,
  ): Promise<number> {
    const { fetcher, tracer, budgets } = this.#dependencies;
    return traced(tracer, 'stream from origin', {}, async (span) => {
      const { contentLength } = await this.#retrying('stream from the origin', () =>
        fetcher.streamFromOrigin({
          ...this.#common(path),
          budgets: budgets.forOriginStream(),
          pieceLength,
          stored: storedNow(),
          origin,
          onPiece,
        }),
      );
      span.set({ 'task.size': contentLength });
      return contentLength;
    });
  }

  #common(path: string): FetchCommon {
    const { settings } = this.#dependencies;
    return {
      path,
      signal: this.#signal,
      idleTimeoutMs: settings.idleTimeoutMs,
      timeoutMs: settings.pieceTimeoutMs,
      onProgress: this.#onBytes,
    };
  }

  /** In turn with other downloads, where the origin does not take all of us at once. */
  async #retrying<T>(
    doing: string,
    attempt: () => Promise<T>,
    { signal = this.#signal, patienceMs = TOO_MANY_PATIENCE_MS } = {},
  ): Promise<T> {
    const room = this.#dependencies.originRooms.of(this.#request.url);
    const waitingFor = `others to be done with ${this.#name}`;
    await this.#waits.during(waitingFor, () => room.enter(waitingFor, signal));
    try {
      return await this.#retryingWithin(room, doing, attempt, { signal, patienceMs });
    } finally {
      room.leave();
    }
  }

  /** As often as the settings say. That it gives other pieces meanwhile, or is asked by others, shows that it only has no room: that doesn't count. */
  async #retryingWithin<T>(
    room: OriginRoom,
    doing: string,
    attempt: () => Promise<T>,
    { signal, patienceMs }: { signal: AbortSignal; patienceMs: number },
  ): Promise<T> {
    const { settings, logger, clock } = this.#dependencies;
    let [givenBefore, counted, sinceMs] = [this.#givenPieces, 0, clock.monotonicMs()];
    for (let attempts = 1; ; attempts++) {
      try {
        return await this.#waits.during(this.#name, () => room.ask(attempt));
      } catch (thrown) {
        const error = toDfpeerError(thrown, 'DFP_ORIGIN_UNREACHABLE', doing);
        if (signal.aborted || !isRetryable(error)) throw error;
        const isTooMuch = error instanceof OriginError && isTurnedAway(error.status);
        // A firewall that bounds its clients' connections resets those beyond; but so does who is gone.
        const areOthersAsking = (isTooMuch || error.code === 'DFP_ORIGIN_UNREACHABLE') && room.turnedAway();
        const isBesideOthers = isTooMuch && areOthersAsking && attempts < MAX_TIMES_TURNED_AWAY;
        const nowMs = clock.monotonicMs();
        if (this.#givenPieces > givenBefore) [counted, sinceMs] = [0, nowMs];
        givenBefore = this.#givenPieces;
        const isPatient = this.#asksForPatience(error) && nowMs - sinceMs < patienceMs;
        if (!isBesideOthers && ++counted >= settings.maxOriginAttempts && !isPatient) {
          room.open();
          throw error;
        }
        const delayMs = this.#pauseMs(error, isBesideOthers ? Math.min(attempts, SHORT_PAUSES) : counted);
        logger.warn(
          { code: error.code, attempt: attempts, delayMs: Math.round(delayMs) },
          `could not ${doing}, trying again: ${error.message}`,
        );
        await this.#waits.during(`the next attempt at ${this.#name}`, () => sleep(delayMs, signal, clock));
      }
    }
  }

  /** Unless nobody wants it to be asked again at all. */
  #asksForPatience(error: Error): boolean {
    const { settings, clock } = this.#dependencies;
    const isTooMany = error instanceof OriginError && error.status === 429;
    return settings.maxOriginAttempts > 1 && (isTooMany || retryAfterMsOf(error, clock.now()) !== undefined);
  }

  /** What the origin asks for, but never less than our own growing pause: `Retry-After: 0` is no reason to hammer. */
  #pauseMs(error: Error, attempts: number): number {
    const { random, clock } = this.#dependencies;
    const ownMs = FIRST_RETRY_DELAY_MS * 2 ** (attempts - 1) * (0.5 + random() / 2);
    return Math.min(Math.max(retryAfterMsOf(error, clock.now()) ?? 0, ownMs), MAX_RETRY_DELAY_MS);
  }
}

/** `own` wins over `general`, in any spelling of the name. */
function mergeHeaders(
  general: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const taken = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  return { ...Object.fromEntries(Object.entries(general).filter(([name]) => !taken.has(name.toLowerCase()))), ...own };
}
