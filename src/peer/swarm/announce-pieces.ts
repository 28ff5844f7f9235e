import { DfpeerError } from '../../core/errors.js';
import { pickRarest } from '../../core/pick-rarest.js';
import { TrafficType, type StoredPiece } from '../../core/piece.js';
import { Wakeup } from '../../core/wakeup.js';
import type { Arrival } from '../store/arrivals.js';
import type { StoredTask } from '../store/stored-task.js';
import type { PacedChild, Untold } from './paced-child.js';
import { PromisedPieces } from './promised-pieces.js';

export interface Telling {
  child: PacedChild;
  /** The child takes pieces that are still on their way to us, block by block. */
  takesBlocks?: boolean;
  announce: (number: number) => Promise<void>;
  /** In [0, 1): decides between pieces that are equally rare. */
  random?: () => number;
}

/** What of a stored task is looked at here. */
export type AnnouncedTask = Pick<StoredTask, 'taskId' | 'downloading' | 'complete' | 'subscribe' | 'arrivals'> & {
  piece(number: number): Pick<StoredPiece, 'trafficType'> | undefined;
};

/**
 * Tells a child, each in its turn, of the pieces it is interested in, as they come, or begin to come for a child that takes blocks, and once
 * more of one that came no further; of those that it says it has no more. Ends when it has heard of all, and they are stored.
 * @throws DfpeerError DFP_TASK_FAILED when the task stops before that
 */
export async function announcePieces(
  task: AnnouncedTask,
  interested: Set<number>,
  { child, takesBlocks = false, announce, random = Math.random }: Telling,
  signal: AbortSignal,
): Promise<void> {
  const arriving = (number: number): Arrival | undefined => (takesBlocks ? task.arrivals.blocks(number) : undefined);
  const isHere = (number: number): boolean => task.piece(number) !== undefined || arriving(number) !== undefined;
  const untold: Untold = {
    some: (isWanted) => {
      for (const number of interested) if (isHere(number) && isWanted(number)) return true;
      return false;
    },
    choose: (isWanted, havers = () => 0) => {
      const next = pickRarest(interested, (number) => isHere(number) && isWanted(number), havers, random);
      if (next !== undefined) interested.delete(next);
      return next;
    },
    isNews: (number) =>
      task.downloading &&
      (task.piece(number)?.trafficType === TrafficType.BACK_TO_SOURCE || arriving(number)?.isFromOrigin === true),
  };
  const wakeup = new Wakeup();
  const look = (): void => {
    wakeup.notify();
    child.recall();
  };
  let stopped: DfpeerError | undefined;
  const promised = new PromisedPieces((number) => {
    interested.add(number);
    look();
  });
  const unsubscribe = task.subscribe({
    onPiece: ({ number }) => {
      promised.delete(number);
      look();
    },
    onComplete: () => look(),
    onStopped: (error) => {
      stopped = error;
      look();
    },
  });
  const unsubscribeArrivals = takesBlocks ? task.arrivals.subscribe(look) : undefined;
  const onAbort = (): void => wakeup.notify();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      for (const number of interested) if (child.has(number)) interested.delete(number);
      const chosen = await child.next(untold, signal);
      for (const number of chosen) {
        await announce(number);
        if (task.piece(number) === undefined) promised.add(number, arriving(number));
      }
      if (chosen.length > 0) continue;
      if (signal.aborted || interested.size + promised.size === 0) return;
      // Recalled: its turn is still to come.
      if (untold.some(() => true)) continue;
      if (task.complete) return;
      if (stopped !== undefined || !task.downloading)
        throw new DfpeerError(
          'DFP_TASK_FAILED',
          `task ${task.taskId} failed: ${stopped?.message ?? 'it is not being downloaded'}`,
        );
      await wakeup.wait();
    }
  } finally {
    unsubscribe();
    unsubscribeArrivals?.();
    promised.clear();
    signal.removeEventListener('abort', onAbort);
  }
}
