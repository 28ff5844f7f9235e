/** Time as the core sees it, so that the simulator can bring its own. */
export interface Clock {
  /** Milliseconds since the Unix epoch: for records, never for measuring. */
  now(): number;
  /** Milliseconds from an arbitrary start, never going back: for measuring. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`; the returned function cancels. Does not keep the process alive with `unref`. */
  after(delayMs: number, callback: () => void, options?: { unref?: boolean }): () => void;
}

/** Calls back each `intervalMs` until the returned function is called; the next interval begins when `run` returns. Keeps no process alive. */
export function every(clock: Clock, intervalMs: number, run: () => void): () => void {
  let cancel = (): void => undefined;
  let isCancelled = false;
  const wait = (): void => {
    cancel = clock.after(intervalMs, turn, { unref: true });
  };
  const turn = (): void => {
    run();
    // By `run`, perhaps.
    if (!isCancelled) wait();
  };
  wait();
  return () => {
    isCancelled = true;
    cancel();
  };
}

/** Passes a call on, and drops those that follow within `intervalMs`: whoever floods us must not flood the log. */
export function atMostEvery<T extends unknown[]>(
  clock: Clock,
  intervalMs: number,
  run: (...args: T) => void,
): (...args: T) => void {
  let quietUntilMs = -Infinity;
  return (...args) => {
    const nowMs = clock.monotonicMs();
    if (nowMs < quietUntilMs) return;
    quietUntilMs = nowMs + intervalMs;
    run(...args);
  };
}

/** setTimeout fires at once beyond this. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback, options) {
    const timer = setTimeout(callback, Math.min(delayMs, LONGEST_TIMER_MS));
    if (options?.unref === true) timer.unref();
    return () => clearTimeout(timer);
  },
};
