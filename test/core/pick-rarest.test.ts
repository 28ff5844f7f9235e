import assert from 'node:assert/strict';
import { pickRarest } from '../../src/core/pick-rarest.js';

describe('the choice of a piece to tell of', () => {
  const numbers = Array.from({ length: 8 }, (_, number) => number);

  it('falls on one that fewest have', () => {
    assert.equal(
      pickRarest(
        numbers,
        () => true,
        (number) => Math.abs(number - 5),
      ),
      5,
    );
  });

  it('falls only on what is wanted', () => {
    const havers = (): number => 0;
    assert.equal(
      pickRarest(numbers, (number) => number === 2, havers),
      2,
    );
    assert.equal(
      pickRarest(numbers, () => false, havers),
      undefined,
    );
  });

  it('examines no more than so many, however many are wanted', () => {
    let examined = 0;
    const havers = (): number => examined++;
    pickRarest(Array(10_000).keys(), () => true, havers);
    assert.equal(examined, 512);
  });

  it('falls on each of several equal ones now and then', () => {
    const picked = new Set<number | undefined>();
    for (let round = 0; picked.size < numbers.length && round < 10_000; round++)
      picked.add(
        pickRarest(
          numbers,
          () => true,
          () => 3,
        ),
      );
    assert.equal(picked.size, numbers.length);
  });
});
