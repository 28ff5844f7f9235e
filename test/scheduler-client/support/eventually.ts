import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

/** Polls for something that no event tells; fails after a minute. */
export async function eventually(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 6000; attempt++) {
    if (condition()) return;
    await delay(10);
  }
  assert.fail(`never happened: ${String(condition)}`);
}
