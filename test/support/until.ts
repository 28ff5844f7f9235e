import { setTimeout as delay } from 'node:timers/promises';

const INTERVAL_MS = 10;
const DEFAULT_TIMEOUT_MS = 60_000;

/** Asks until the answer is yes, for what no event tells. `what` is waited for, in an error: "the host to be announced". */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await delay(INTERVAL_MS);
  }
}
