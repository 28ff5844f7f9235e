import type { BlocksWish } from '../../core/piece-blocks.js';
import type { ServedTask } from '../piece-source.js';
import type { Plan } from './plan.js';

/** Lets a child that takes blocks have them: what it is answered without them is `plan`. Nobody may wait for a piece that isn't even on its way. */
export function planBlocks(plan: Plan, task: ServedTask, wish: BlocksWish | undefined): Plan {
  if (wish === undefined || plan.kind !== 'content' || plan.status !== 206) return plan;
  const { offset, length } = plan.range;
  const number = offset / task.pieceLength;
  const slice = Number.isInteger(number) ? task.slice(number) : undefined;
  if (slice?.offset !== offset || slice.length !== length) return plan;
  const isStored = task.has(slice);
  if (isStored && wish === 'arriving') return plan;
  const blocks = task.blocks(number);
  if (blocks !== undefined) return { ...plan, blocks };
  return isStored ? plan : { kind: 'not-coming' };
}
