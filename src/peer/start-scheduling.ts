import { sleep } from '../core/deadline.js';
import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import type { DaemonSchedulerClient } from '../scheduler-client/index.js';

/** A scheduler that answers is heard before the daemon calls itself ready; for one that is silent nobody waits. */
export const SCHEDULER_PATIENCE_MS = 300;

/**
 * Joins the schedulers, in the background if that takes long: what this host has is served meanwhile. `onJoined` is called once each
 * was looked at. @throws DfpeerError DFP_CONFIG for a source of schedulers that is wrong
 */
export async function startScheduling(
  scheduler: Pick<DaemonSchedulerClient, 'start'>,
  { clock, logger, onJoined }: { clock: Clock; logger: Logger; onJoined: () => void },
): Promise<void> {
  const enough = new AbortController();
  let isWaitedFor = true;
  const joining = scheduler.start().then(onJoined, (error: unknown) => {
    if (isWaitedFor) throw error;
    logger.error({ err: error }, 'the schedulers could not be joined; correct the configuration and start again');
  });
  const patience = sleep(SCHEDULER_PATIENCE_MS, enough.signal, clock).catch(() => undefined);
  try {
    await Promise.race([joining, patience]);
  } finally {
    isWaitedFor = false;
    enough.abort();
  }
}
