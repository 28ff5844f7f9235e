import type { LeaseSize } from '../../core/byte-budget.js';
import { toDfpeerError } from '../../core/errors.js';
import type { Segment, SegmentEnd } from './segment.js';

/** Waits for a lease of at most `wanted` bytes, or says why there will be none. Without a budget all is granted. */
export async function takeLease(
  segment: Segment,
  wanted: number,
  size: LeaseSize = 'soon',
): Promise<number | SegmentEnd> {
  if (segment.budget === undefined) return wanted;
  segment.waitingForBudget = true;
  try {
    return await segment.budget.take(wanted, segment.signal, size);
  } catch (thrown) {
    return segment.signal.aborted ? { kind: 'interrupted' } : { kind: 'refused', error: toDfpeerError(thrown) };
  } finally {
    segment.waitingForBudget = false;
  }
}
