import assert from 'node:assert/strict';
import { skipLoudly } from './skip.js';

const TICK_MS = 5;
/** Timers are late by this much on a machine that has nothing else to do. */
const USUAL_LATENESS_MS = 2;

/** For how much of the time since it was made this process could not run because of others: its timers were late. */
export class Stalls {
  readonly #startMs = performance.now();
  #dueMs = this.#startMs + TICK_MS;
  #lateMs = 0;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Milliseconds so far. */
  get lateMs(): number {
    return this.#lateMs;
  }

  /** From 0 to 1; ends the watch. */
  end(): number {
    clearInterval(this.#timer);
    this.#tick();
    return this.#lateMs / (performance.now() - this.#startMs);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#lateMs += Math.max(0, nowMs - this.#dueMs - USUAL_LATENESS_MS);
    this.#dueMs = nowMs + TICK_MS;
  }
}

/** A process that could not run for more of the time measures others, not what it is to measure. */
const MAX_STALLED = 0.3;

/** Says loudly that nothing can be said where it is so. */
export function skipIfStalled(context: Mocha.Context, stalled: number): void {
  if (stalled > MAX_STALLED)
    skipLoudly(context, `this machine is too busy to measure: stalled for ${(stalled * 100).toFixed(0)} % of the time`);
}

/** A rate must be what it should be; what was lost while the process was `stalled` (a share of the time) is not the limiter's fault. */
export function assertRate(ratio: number, tolerance: number, stalled: number): void {
  const shown = `${ratio.toFixed(4)} of the limit, stalled for ${(stalled * 100).toFixed(1)} % of the time`;
  assert.ok(ratio <= 1 + tolerance, shown);
  // Two threads move a byte, one after the other, and both stall.
  assert.ok(ratio >= (1 - tolerance) * (1 - stalled) ** 2, shown);
}
