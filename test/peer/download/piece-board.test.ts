import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PieceBoard, type ParentStanding } from '../../../src/peer/download/piece-board.js';

const standing = (id: string, inFlight = 0, weight = 1): ParentStanding => ({ id, inFlight, weight, maxInFlight: 4 });

describe('piece board', () => {
  it('asks the less busy parent', () => {
    const board = new PieceBoard(() => 0);
    board.want(1);
    board.offer('a', 1);
    board.offer('b', 1);
    assert.deepEqual(board.choose([standing('a', 2), standing('b', 1)]), { parentId: 'b', number: 1 });
  });

  it('asks the parent with more idle bandwidth', () => {
    const board = new PieceBoard(() => 0);
    board.want(1);
    board.offer('a', 1);
    board.offer('b', 1);
    assert.equal(board.choose([standing('a', 0, 1), standing('b', 0, 5)])?.parentId, 'b');
  });

  it('takes the rarest piece first', () => {
    const board = new PieceBoard(() => 0);
    for (const number of [1, 2, 3]) board.want(number);
    for (const parent of ['a', 'b', 'c']) board.offer(parent, 1);
    for (const parent of ['a', 'b']) board.offer(parent, 2);
    board.offer('a', 3);
    assert.equal(board.choose([standing('a')])?.number, 3);
  });

  it('counts copies that were not offered to us', () => {
    const board = new PieceBoard(
      () => 0,
      (number) => (number === 2 ? 3 : 0),
    );
    for (const number of [1, 2]) board.want(number);
    for (const parent of ['a', 'b', 'c']) board.offer(parent, 1);
    board.offer('a', 2);
    assert.equal(board.choose([standing('a'), standing('b')])?.number, 1);
  });

  it('counts a parent once for each piece, however often it offers it, and no more once it is dropped', () => {
    const board = new PieceBoard(() => 0);
    for (const number of [1, 2]) board.want(number);
    for (const parent of ['a', 'b', 'gone', 'gone too']) board.offer(parent, 1);
    for (const parent of ['a', 'b', 'c']) board.offer(parent, 2);
    assert.equal(board.offer('a', 1), false);
    for (const parent of ['gone', 'gone too']) board.dropParent(parent);
    assert.equal(board.choose([standing('a')])?.number, 1);
  });

  it('gives an origin the pieces in their order, and is finished when none is missing or under way', () => {
    const board = new PieceBoard(() => 0);
    const order = [];
    for (const number of [3, 1, 2]) board.want(number);
    for (let next = board.chooseInOrder(); next !== undefined; next = board.chooseInOrder()) {
      assert.equal(board.finished, false);
      order.push(next);
      board.start(next);
    }
    assert.deepEqual(order, [1, 2, 3]);
    assert.equal(board.finished, false);
    for (const number of order) board.done(number);
    assert.equal(board.finished, true);
  });

  it('wants no piece again that is under way', () => {
    const board = new PieceBoard(() => 0);
    board.want(1);
    board.start(1);
    assert.equal(board.want(1), false);
    assert.equal(board.missingCount, 0);
  });

  it('asks no parent beyond its slots, and none for what it did not offer', () => {
    const board = new PieceBoard(() => 0);
    board.want(1);
    board.offer('a', 1);
    assert.equal(board.choose([standing('a', 4), standing('b')]), undefined);
  });

  it('forgets the offers of a parent that is dropped', () => {
    const board = new PieceBoard(() => 0);
    board.want(1);
    board.offer('a', 1);
    board.dropParent('a');
    assert.equal(board.choose([standing('a')]), undefined);
    assert.deepEqual(board.holders(1), []);
  });

  it('hands out each wanted piece until it is done, and never twice at once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.boolean(), { maxLength: 200, size: 'max' }),
        (count, failures) => {
          const board = new PieceBoard(Math.random);
          const done = new Set<number>();
          const underWay = new Set<number>();
          for (let number = 0; number < count; number++) {
            board.want(number);
            board.offer(number % 2 === 0 ? 'even' : 'odd', number);
          }
          const outcomes = [...failures, ...Array.from({ length: count }, () => false)];
          for (const fails of outcomes) {
            const choice = board.choose([standing('even'), standing('odd')]);
            if (choice === undefined) break;
            assert.ok(!underWay.has(choice.number) && !done.has(choice.number));
            board.start(choice.number);
            underWay.add(choice.number);
            if (!fails) {
              board.done(choice.number);
              done.add(choice.number);
            }
            board.putBack(choice.number);
            underWay.delete(choice.number);
          }
          assert.equal(done.size, count);
          assert.equal(board.finished, true);
        },
      ),
    );
  });
});
