import assert from 'node:assert/strict';
import { PieceSet } from '../../../src/core/piece-set.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { Backlogs } from '../../../src/peer/swarm/backlog.js';
import { MAX_NEWS, PacedChild } from '../../../src/peer/swarm/paced-child.js';

const TASK = computeTaskId({ url: 'http://example.com/' });

function childOf(index: number): PacedChild {
  const turns = { next: () => Promise.resolve([]), recall: () => undefined, leave: () => undefined };
  return new PacedChild({ taskId: TASK, hostId: `host-${index}`, ip: `10.0.0.${index}` }, turns);
}

const offer = () => ({ madeAtMs: 1, isOpen: true, cancel: () => undefined });

describe('a child of a task', () => {
  it('may have what it was told of, while it says nothing', () => {
    const child = childOf(0);
    child.told(1, { ...offer(), isOpen: false });
    assert.deepEqual([child.mayHave(1), child.mayHave(2)], [true, false]);
  });

  it('may have what it says, what it took and what it is offered, once it says something', () => {
    const child = childOf(0);
    child.told(1, { ...offer(), isOpen: false });
    child.told(2, offer());
    child.taken.add(3);
    child.held = PieceSet.of(5, (number) => number === 4);
    assert.deepEqual(
      [0, 1, 2, 3, 4].filter((number) => child.mayHave(number)),
      [2, 3, 4],
    );
  });

  it('is busy with its uploads as with its offers, but not with one that waits for its piece', () => {
    const child = childOf(0);
    child.told(1, offer());
    for (const waitingFor of ['client', 'bandwidth', 'piece'] as const) child.uploads.add({ bytesSent: 0, waitingFor });
    assert.equal(child.load, 3);
  });
});

describe('what a child has left to pass on', () => {
  it('is every copy that another one lacks of what it alone was told of', () => {
    const [first, second, third] = [childOf(0), childOf(1), childOf(2)];
    const backlogs = new Backlogs(() => [first, second, third]);
    const holds = (child: PacedChild, pieces: number[]): void =>
      void (child.held = PieceSet.of(5, (number) => pieces.includes(number)));
    holds(first, [1, 2, 3]);
    holds(second, [3]);
    holds(third, [1, 3]);
    for (const number of [1, 2, 3]) first.gotNews(number);
    assert.equal(backlogs.of(first), 3);
    assert.deepEqual([...first.news], [1, 2], 'what everybody has is no news');
    first.gotNews(4);
    backlogs.changed(first);
    assert.equal(backlogs.of(first), 5);
    assert.equal(backlogs.of(second), 0);
  });

  it('is counted for the last pieces only', () => {
    const child = childOf(0);
    for (let number = 0; number <= MAX_NEWS; number++) child.gotNews(number);
    assert.deepEqual(
      [...child.news],
      Array.from({ length: MAX_NEWS }, (_, index) => index + 1),
    );
  });
});
