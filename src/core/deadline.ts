import { type Clock, systemClock } from './clock.js';
import { AbortedError, DeadlineError } from './errors.js';

export interface DeadlineOptions {
  /** Who or what is waited for, as the user should read it: "scheduler 10.0.0.1:8002". */
  waitingFor: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  clock?: Clock;
}

/**
 * Runs `work` with a signal that aborts at the deadline or with the caller's signal, whichever is first.
 * Rejects with {@link DeadlineError} or the signal's {@link abortReason} even when `work` ignores its own signal.
 */
export async function withDeadline<T>(options: DeadlineOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { waitingFor, timeoutMs, signal, clock = systemClock } = options;
  const controller = new AbortController();
  let cancelTimer: () => void = () => undefined;
  let onAbort: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    const stop = (error: Error): void => {
      reject(error);
      controller.abort(error);
    };
    onAbort = () => stop(abortReason(signal, waitingFor));
    if (signal?.aborted === true) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    cancelTimer = clock.after(timeoutMs, () => stop(new DeadlineError(waitingFor, timeoutMs)));
  });
  try {
    if (signal?.aborted === true) return await stopped;
    return await Promise.race([work(controller.signal), stopped]);
  } finally {
    cancelTimer();
    signal?.removeEventListener('abort', onAbort);
    stopped.catch(() => undefined);
  }
}

/** Waits; rejects with the signal's {@link abortReason} when it aborts first. */
export async function sleep(delayMs: number, signal?: AbortSignal, clock: Clock = systemClock): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (signal?.aborted === true) return reject(abortReason(signal, 'a pause'));
    const onAbort = (): void => {
      cancel();
      reject(abortReason(signal, 'a pause'));
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The error a signal was aborted with; anything that isn't an error of its own becomes an {@link AbortedError}. */
export function abortReason(signal: AbortSignal | undefined, what: string): Error {
  const reason: unknown = signal?.reason;
  const isPlainAbort = reason instanceof DOMException && reason.name === 'AbortError';
  return reason instanceof Error && !isPlainAbort ? reason : new AbortedError(what, { cause: reason });
}

export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted === true) throw abortReason(signal, what);
}
