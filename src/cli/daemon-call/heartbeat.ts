import type { ClientHttp2Session } from 'node:http2';
import { every, systemClock } from '../../core/clock.js';

/** How often a daemon is asked for a sign of life during a call: even one that works hard, or waits for us, gives it. */
export const PING_INTERVAL_MS = 10_000;
/** So many without an answer, and it is taken for hung: two, as after a pause of our own one may have been answered and not read. */
export const MAX_UNANSWERED_PINGS = 2;

/** Pings the other side of a session, and calls back once it stays silent; the returned function ends that. */
export function watchHeartbeat(
  session: Pick<ClientHttp2Session, 'ping' | 'destroyed'>,
  onSilence: () => void,
  intervalMs = PING_INTERVAL_MS,
): () => void {
  let unanswered = 0;
  const end = every(systemClock, intervalMs, () => {
    if (unanswered >= MAX_UNANSWERED_PINGS) {
      end();
      return onSilence();
    }
    if (session.destroyed) return;
    unanswered++;
    session.ping((error) => {
      if (error === null) unanswered = 0;
    });
  });
  return end;
}
