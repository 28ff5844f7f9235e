/** Pieces examined per choice: enough for a good one, bounded for tasks of many thousand pieces. */
const MAX_EXAMINED = 512;

/**
 * Of the numbers that are wanted one that fewest have, ties by chance: so several children start with different pieces and can then give to
 * each other, whatever they are programmed to ask for.
 */
export function pickRarest(
  numbers: Iterable<number>,
  isWanted: (number: number) => boolean,
  havers: (number: number) => number,
  random: () => number = Math.random,
): number | undefined {
  let best: number | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  let examined = 0;
  for (const number of numbers) {
    if (!isWanted(number)) continue;
    if (examined++ === MAX_EXAMINED) break;
    const rank = havers(number) + random();
    if (rank < bestRank) [best, bestRank] = [number, rank];
  }
  return best;
}
