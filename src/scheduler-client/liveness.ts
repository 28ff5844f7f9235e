import { status } from '@grpc/grpc-js';
import type { Clock } from '../core/clock.js';
import { DeadlineError } from '../core/errors.js';
import { hasStatus } from '../grpc/unary-call.js';

/** Whoever lives answers within a few round trips, on a machine that is busy, too; what is asked of it may take seconds. */
export const LIFE_PATIENCE_MS = 500;
/** So many times as long as the last sign took: schedulers may be far away. */
const PATIENCE_ROUND_TRIPS = 4;

/** A sign of life, which comes long before the answer to a question. */
export interface LifeSign {
  /** How long it may take, in milliseconds. 0: the last one that was asked for did not come. */
  patienceMs: number;
  /** Resolves when it comes, and otherwise never. */
  seen: Promise<void>;
}

export interface LivenessOptions {
  /** Asks for anything that is answered at once; has a deadline. */
  probe: () => Promise<void>;
  /** Nothing has come within that deadline. */
  onSilent: () => void;
  clock: Clock;
}

/**
 * Whether a scheduler lives. One that was stopped, or whose host is gone, keeps its connection and says nothing, just like one that thinks
 * about whom to offer as parents: only the first one leaves a health check unanswered.
 */
export class Liveness {
  readonly #options: LivenessOptions;
  #pending: { seen: Promise<void>; sinceMs: number } | undefined;
  #wasSilent = false;
  #roundTripMs = 0;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  /** Asks for a sign of life, unless one is awaited already. */
  expect(): LifeSign {
    const isSilent = this.#wasSilent || this.#pendingMs() > 2 * this.#patienceMs();
    this.#pending ??= {
      sinceMs: this.#options.clock.monotonicMs(),
      seen: new Promise((resolve) => this.#ask(resolve)),
    };
    return { patienceMs: isSilent ? 0 : this.#patienceMs(), seen: this.#pending.seen };
  }

  #ask(onSeen: () => void): void {
    const settle = (isAlive: boolean): void => {
      if (isAlive) this.#roundTripMs = this.#pendingMs();
      this.#wasSilent = !isAlive;
      this.#pending = undefined;
      if (isAlive) onSeen();
      else this.#options.onSilent();
    };
    this.#options.probe().then(
      () => settle(true),
      (error: unknown) => settle(isAnswer(error)),
    );
  }

  #pendingMs(): number {
    return this.#pending === undefined ? 0 : this.#options.clock.monotonicMs() - this.#pending.sinceMs;
  }

  #patienceMs(): number {
    return Math.max(LIFE_PATIENCE_MS, PATIENCE_ROUND_TRIPS * this.#roundTripMs);
  }
}

/** A refusal is one. */
function isAnswer(error: unknown): boolean {
  const silence = [status.UNAVAILABLE, status.CANCELLED, status.DEADLINE_EXCEEDED];
  return !(error instanceof DeadlineError) && !silence.some((code) => hasStatus(error, code));
}
