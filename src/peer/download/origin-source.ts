import { sleep } from '../../core/deadline.js';
import { toDfpeerError } from '../../core/errors.js';
import type { PieceSlice } from '../../core/piece.js';
import { isRetryable, retryAfterMsOf } from '../fetch/fetch-errors.js';
import type { FetchCommon, FetchedPiece, OriginContent } from '../fetch/piece-fetcher.js';
import type { DownloadDependencies } from './dependencies.js';
import type { DownloadRequest } from './download-request.js';

const FIRST_RETRY_DELAY_MS = 200;
const MAX_RETRY_DELAY_MS = 5_000;

/** The origin of one task: asks, retries what is worth retrying, and says what is not. */
export class OriginSource {
  readonly #dependencies: DownloadDependencies;
  readonly #request: DownloadRequest;
  readonly #signal: AbortSignal;
  readonly #onBytes: () => void;

  /** `onBytes`: some came. */
  constructor(
    dependencies: DownloadDependencies,
    request: DownloadRequest,
    { signal, onBytes }: { signal: AbortSignal; onBytes: () => void },
  ) {
    this.#dependencies = dependencies;
    this.#request = request;
    this.#signal = signal;
    this.#onBytes = onBytes;
  }

  async stat(): Promise<OriginContent> {
    const { fetcher, settings } = this.#dependencies;
    const { url, trust } = this.#request;
    const requestHeader = mergeHeaders(settings.originRequestHeader, this.#request.requestHeader);
    return this.#retrying('ask the origin', () =>
      fetcher.statOrigin({ url, requestHeader, signal: this.#signal, timeoutMs: settings.originTimeoutMs, trust }),
    );
  }

  async fetchPiece(origin: OriginContent, path: string, slice: PieceSlice): Promise<FetchedPiece> {
    const { fetcher } = this.#dependencies;
    return this.#retrying(`fetch piece ${slice.number} from the origin`, () =>
      fetcher.fromOrigin({ ...this.#common(path), origin, slice }),
    );
  }

  /** One attempt only: a stream that broke can't be continued, the caller starts anew. */
  async stream(
    origin: OriginContent,
    path: string,
    task: { pieceLength: number; stored: readonly number[] },
    onPiece: (piece: FetchedPiece) => Promise<void>,
  ): Promise<number> {
    const common = { ...this.#common(path), timeoutMs: Number.MAX_SAFE_INTEGER };
    return (await this.#dependencies.fetcher.streamFromOrigin({ ...common, ...task, origin, onPiece })).contentLength;
  }

  #common(path: string): FetchCommon {
    const { settings, downloadBudgets, sourceBudgets } = this.#dependencies;
    const budgets = [...downloadBudgets(), ...sourceBudgets()];
    return {
      path,
      signal: this.#signal,
      idleTimeoutMs: settings.idleTimeoutMs,
      timeoutMs: settings.pieceTimeoutMs,
      onProgress: this.#onBytes,
      budgets,
    };
  }

  async #retrying<T>(doing: string, attempt: () => Promise<T>): Promise<T> {
    const { settings, logger, clock, random } = this.#dependencies;
    for (let attempts = 1; ; attempts++) {
      try {
        return await attempt();
      } catch (thrown) {
        const error = toDfpeerError(thrown, 'DFP_ORIGIN_UNREACHABLE', doing);
        if (this.#signal.aborted || attempts >= settings.maxOriginAttempts || !isRetryable(error)) throw error;
        const delayMs = Math.min(
          retryAfterMsOf(error) ?? FIRST_RETRY_DELAY_MS * 2 ** (attempts - 1) * (0.5 + random() / 2),
          MAX_RETRY_DELAY_MS,
        );
        logger.warn(
          { taskId: this.#request.taskId, code: error.code, attempt: attempts, delayMs: Math.round(delayMs) },
          `could not ${doing}, trying again: ${error.message}`,
        );
        await sleep(delayMs, this.#signal, clock);
      }
    }
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
