import assert from 'node:assert/strict';
import { computeTaskId } from '../../../src/core/task-id.js';
import { AnnouncementOrder } from '../../../src/peer/grpc/announcement-order.js';

describe('announcement order', () => {
  it('tells two children of different pieces first', () => {
    const order = new AnnouncementOrder();
    const taskId = computeTaskId({ url: 'http://example.com/' });
    const all = (): Set<number> => new Set(Array.from({ length: 8 }, (_, number) => number));
    const tell = (interested: Set<number>, count: number): number[] =>
      Array.from({ length: count }, () => {
        const number = order.next(taskId, interested, () => true);
        assert.ok(number !== undefined);
        interested.delete(number);
        return number;
      });
    const [first, second] = [tell(all(), 4), tell(all(), 4)];
    assert.deepEqual([...first, ...second].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('tells only of what is here', () => {
    const order = new AnnouncementOrder();
    const taskId = computeTaskId({ url: 'http://example.com/' });
    assert.equal(
      order.next(taskId, new Set([1, 2, 3]), (number) => number === 2),
      2,
    );
    assert.equal(
      order.next(taskId, new Set([1, 3]), (number) => number === 2),
      undefined,
    );
  });
});
