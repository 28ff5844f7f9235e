import type { PacedChild } from './paced-child.js';

/** Among more children there is always one whose line is idle: then it isn't counted, each would have to be compared with each. */
export const MAX_WEIGHED_CHILDREN = 64;

/**
 * Copies that a child is still to give of what we gave to it alone. Were news given by what children lack, those whose lines are busy would get
 * all of it: what they pass on they don't get from others, so they lack the most, while the lines of the others have nothing to carry.
 * @param children all of the task
 */
export function backlogOf(child: PacedChild, children: readonly PacedChild[]): number {
  if (children.length > MAX_WEIGHED_CHILDREN) return 0;
  let backlog = 0;
  for (const number of child.news) {
    const lacking = children.filter((other) => other !== child && !other.mayHave(number)).length;
    if (lacking === 0) child.news.delete(number);
    backlog += lacking;
  }
  return backlog;
}
