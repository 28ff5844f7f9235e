import { type ClientWritableStream, Metadata } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.js';
import type { TaskId } from '../../core/task-id.js';
import type { PiecesHeld } from '../../generated/dfpeer/v1/PiecesHeld.js';
import type { DfpeerPeer } from '../../grpc/protos.js';
import type { HeldPieces } from '../download/held-pieces.js';

/** Changes that come so close together are told together. */
export const TELL_INTERVAL_MS = 20;

/**
 * Tells a parent of our own what a download holds, now and after each change; only the last state while the parent is slow to read.
 * Returns how to end it. A parent that doesn't listen does no harm.
 */
export function tellPieces(
  client: InstanceType<typeof DfpeerPeer>,
  { hostId, taskId, held, clock }: { hostId: string; taskId: TaskId; held: HeldPieces; clock: Clock },
): () => void {
  let isReady = true;
  let isChanged = true;
  let cancelNext: (() => void) | undefined;
  let toldHosts = '';
  const tell = (): void => {
    cancelNext = undefined;
    const standing = held.current();
    if (!isReady || standing === undefined) return;
    isChanged = false;
    const hosts = [...standing.parentHostIds].sort();
    const isSame = hosts.join() === toldHosts;
    toldHosts = hosts.join();
    const [pieces, here] = [standing.held.bytes, standing.here.bytes];
    isReady = call.write({ hostId, taskId, pieces, here, parentHostIds: isSame ? [] : hosts });
  };
  const tellSoon = (): void => {
    isChanged = true;
    cancelNext ??= clock.after(TELL_INTERVAL_MS, tell, { unref: true });
  };
  const unsubscribe = held.subscribe(tellSoon);
  const stop = (): void => {
    unsubscribe();
    cancelNext?.();
    call.cancel();
  };
  const call: ClientWritableStream<PiecesHeld> = client.tellPieces(new Metadata(), stop);
  call.on('drain', () => {
    isReady = true;
    if (isChanged) tellSoon();
  });
  tell();
  return stop;
}
