import type { Clock } from '../core/clock.js';

const CHECKS_PER_PERIOD = 10;

/** Calls back once nothing was busy for `idleMs`; the returned function ends the watch. */
export function watchIdle(options: {
  idleMs: number;
  isBusy: () => boolean;
  onIdle: () => void;
  clock: Clock;
}): () => void {
  const { idleMs, isBusy, onIdle, clock } = options;
  let lastBusyMs = clock.monotonicMs();
  let cancel: () => void = () => undefined;
  const check = (): void => {
    const nowMs = clock.monotonicMs();
    if (isBusy()) lastBusyMs = nowMs;
    if (nowMs - lastBusyMs >= idleMs) return onIdle();
    cancel = clock.after(Math.max(idleMs / CHECKS_PER_PERIOD, 10), check, { unref: true });
  };
  check();
  return () => cancel();
}
