import assert from 'node:assert/strict';
import { TrafficType } from '../../../src/core/piece.js';
import { pieceMap, type MappedTask } from '../../../src/peer/status/piece-map.js';

const { BACK_TO_SOURCE: origin, REMOTE_PEER: peer } = TrafficType;

function task(count: number, stored: ReadonlyMap<number, TrafficType>): MappedTask {
  return {
    layout: { count },
    piece: (number) => {
      const trafficType = stored.get(number);
      return trafficType === undefined ? undefined : { trafficType };
    },
  };
}

describe('a piece map', () => {
  it('has one character for each piece of a small task', () => {
    const stored = new Map([
      [0, origin],
      [1, peer],
    ] as const);
    assert.equal(pieceMap(task(4, stored), new Set([2])), 'op+.');
  });

  it('shares cells among the pieces of a large one', () => {
    const stored = new Map([
      [0, origin],
      [1, peer],
      [2, peer],
      [3, peer],
      [4, origin],
    ] as const);
    assert.equal(pieceMap(task(8, stored), new Set([7]), 4), 'mp-+');
  });

  it('covers every piece exactly once, whatever the counts', () => {
    for (const [count, cells] of [
      [7, 3],
      [500, 256],
      [257, 256],
      [1, 256],
    ] as const) {
      const all = new Map(Array.from({ length: count }, (_, number) => [number, peer] as const));
      assert.equal(pieceMap(task(count, all), new Set(), cells), 'p'.repeat(Math.min(count, cells)));
      all.delete(count - 1);
      assert.match(pieceMap(task(count, all), new Set(), cells), /^p*[-.]$/);
    }
  });
});
