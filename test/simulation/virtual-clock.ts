import { setImmediate as afterMicrotasks } from 'node:timers/promises';
import type { Clock } from '../../src/core/clock.js';

/** 2025-01-01, so that records carry plausible dates. */
const EPOCH_MS = 1_735_689_600_000;

interface Timer {
  atMs: number;
  order: number;
  callback: () => void;
  /** Of the simulation's script, not of the code under test. */
  isScript: boolean;
}

/** Time that passes only when nothing is left to do: each timer fires after the consequences of the one before have settled. */
export class VirtualClock implements Clock {
  readonly #timers = new Set<Timer>();
  #nowMs: number;
  #order = 0;
  #stopped = false;

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
    return EPOCH_MS + Math.floor(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.#add(delayMs, callback, false);
  }

  /** An event of the script: not counted as pending. */
  script(delayMs: number, callback: () => void): () => void {
    return this.#add(delayMs, callback, true);
  }

  /** Timers of the code under test. */
  get pendingCount(): number {
    let count = 0;
    for (const timer of this.#timers) if (!timer.isScript) count++;
    return count;
  }

  /** The process has died: nothing of it ever runs again. */
  stop(): void {
    this.#stopped = true;
    this.#timers.clear();
  }

  /** Lets time pass until `isDone`, at most to `untilMs`. False when it was not done by then, or nothing could happen any more. */
  async runUntil(isDone: () => boolean, untilMs: number): Promise<boolean> {
    for (;;) {
      await afterMicrotasks();
      if (isDone()) return true;
      const next = this.#next();
      if (next === undefined || next.atMs > untilMs) return false;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
    }
  }

  #add(delayMs: number, callback: () => void, isScript: boolean): () => void {
    if (this.#stopped) return () => undefined;
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback, isScript };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers)
      if (next === undefined || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.order < next.order))
        next = timer;
    return next;
  }
}
