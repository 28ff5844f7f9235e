import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { skipLoudly } from './skip.js';

/** Below this share of idle time, other programs decide how fast a test's processes are. */
const BUSY_BELOW = 0.1;

/** How idle the machine's processors have been since this was made. */
export class IdleShare {
  readonly #start = readTimes();

  /** From 0 to 1; undefined where /proc/stat doesn't tell. */
  get value(): number | undefined {
    const now = readTimes();
    if (now === undefined || this.#start === undefined) return undefined;
    return (now.idle - this.#start.idle) / Math.max(1, now.total - this.#start.total);
  }
}

/** A rate must be what it should be; a shortfall on a machine that is busy elsewhere says nothing, and skips the test loudly. */
export function assertRate(context: Mocha.Context, ratio: number, tolerance: number, idle: IdleShare): void {
  const share = idle.value;
  if (ratio < 1 - tolerance && share !== undefined && share < BUSY_BELOW)
    skipLoudly(context, `the processors were idle for only ${(share * 100).toFixed(0)} % of the time`);
  assert.ok(Math.abs(ratio - 1) <= tolerance, `${ratio.toFixed(4)} of the limit`);
}

function readTimes(): { idle: number; total: number } | undefined {
  try {
    const line = /^cpu +(.+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1];
    const ticks = line?.split(' ').map(Number);
    // user, nice, system, idle, …
    return ticks === undefined
      ? undefined
      : { idle: ticks[3] ?? 0, total: ticks.slice(0, 8).reduce((a, b) => a + b, 0) };
  } catch {
    return undefined;
  }
}
