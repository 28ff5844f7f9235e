import { type Clock, systemClock } from '../core/clock.js';
import { sleep, throwIfAborted } from '../core/deadline.js';
import type { Logger } from '../core/logger.js';
import type { DaemonSchedulerClient } from './client.js';
import type { PeerRegistration } from './scheduler-client.js';

/** 20 tasks a second from one peer: a thousand peers stay above a restarted scheduler's rate limit only for as long as they must. */
export const DEFAULT_SPACING_MS = 50;
/** In a row; the scheduler is gone again then, and its return starts over. */
export const MAX_CONSECUTIVE_FAILURES = 5;

export interface ReannounceOptions {
  signal: AbortSignal;
  logger: Logger;
  spacingMs?: number;
  clock?: Clock;
}

/**
 * Announces those complete tasks that their responsible scheduler was not told of, one after the other.
 * `tasks` may be long: it is read as needed. Resolves with how many were announced; rejects only with the signal's reason.
 */
export async function reannounceStoredTasks(
  client: Pick<DaemonSchedulerClient, 'announceStoredTask' | 'isAnnounced'>,
  tasks: Iterable<PeerRegistration> | AsyncIterable<PeerRegistration>,
  { signal, logger, spacingMs = DEFAULT_SPACING_MS, clock = systemClock }: ReannounceOptions,
): Promise<number> {
  let announced = 0;
  let failures = 0;
  for await (const task of tasks) {
    throwIfAborted(signal, 'announcing stored tasks');
    if (client.isAnnounced(task.taskId)) continue;
    try {
      await client.announceStoredTask(task, signal);
      announced++;
      failures = 0;
    } catch (error) {
      throwIfAborted(signal, 'announcing stored tasks');
      logger.debug({ taskId: task.taskId, err: error }, 'could not announce a complete task');
      if (++failures >= MAX_CONSECUTIVE_FAILURES) break;
    }
    await sleep(spacingMs, signal, clock);
  }
  return announced;
}
