import { type Clock, systemClock } from '../../core/clock.js';
import { sleep } from '../../core/deadline.js';
import type { Host } from '../../generated/common/v2/Host.js';
import type { NetworkLoad } from '../host-load/network-load.js';

/** How often the line is looked at while somebody listens. */
export const SYNC_HOST_INTERVAL_MS = 1_000;
/** Of the line's bandwidth. Children weigh parents by what is idle of it: less than this makes no choice different. */
const WORTH_TELLING = 0.05;

/** Tells a child how busy our line is: at once, then each time that has changed enough to matter, until `signal` aborts (docs/WIRE.md 2.2). */
export async function syncHost(
  load: () => Promise<NetworkLoad>,
  send: (message: Host) => Promise<void>,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<never> {
  let told: NetworkLoad | undefined;
  for (;;) {
    const now = await load();
    if (told === undefined || isWorthTelling(told, now)) {
      await send(toMessage(now));
      told = now;
    }
    // All children are looked after in the same moment: each moment costs a wake-up.
    await sleep(SYNC_HOST_INTERVAL_MS - (clock.monotonicMs() % SYNC_HOST_INTERVAL_MS), signal, clock);
  }
}

function isWorthTelling(told: NetworkLoad, now: NetworkLoad): boolean {
  return (
    told.maxTxBitsPerSecond !== now.maxTxBitsPerSecond ||
    told.maxRxBitsPerSecond !== now.maxRxBitsPerSecond ||
    Math.abs(told.txBitsPerSecond - now.txBitsPerSecond) >= now.maxTxBitsPerSecond * WORTH_TELLING ||
    Math.abs(told.rxBitsPerSecond - now.rxBitsPerSecond) >= now.maxRxBitsPerSecond * WORTH_TELLING
  );
}

function toMessage(load: NetworkLoad): Host {
  return {
    network: {
      maxRxBandwidth: load.maxRxBitsPerSecond,
      rxBandwidth: load.rxBitsPerSecond,
      maxTxBandwidth: load.maxTxBitsPerSecond,
      txBandwidth: load.txBitsPerSecond,
    },
  };
}
