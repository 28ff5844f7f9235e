import assert from 'node:assert/strict';
import { inTurn } from '../../src/core/in-turn.js';

describe('calls in turn', () => {
  it('begin when the one before is over, also one that failed', async () => {
    const events: string[] = [];
    const ends: (() => void)[] = [];
    let count = 0;
    const call = inTurn(async () => {
      const number = ++count;
      events.push(`${number} begins`);
      await new Promise<void>((resolve) => ends.push(resolve));
      events.push(`${number} ends`);
      if (number === 1) throw new Error('the first one fails');
      return number;
    });
    const [first, second, third] = [call(), call(), call()];
    await Promise.resolve();
    assert.deepEqual(events, ['1 begins']);
    ends[0]?.();
    await assert.rejects(first, /the first one fails/);
    await Promise.resolve();
    assert.deepEqual(events.splice(0), ['1 begins', '1 ends', '2 begins']);
    ends[1]?.();
    assert.equal(await second, 2);
    await Promise.resolve();
    ends[2]?.();
    assert.equal(await third, 3);
    assert.deepEqual(events, ['2 ends', '3 begins', '3 ends']);
  });
});
