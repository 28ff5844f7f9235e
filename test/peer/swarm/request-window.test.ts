import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RequestWindow } from '../../../src/peer/swarm/request-window.js';

const PIECE_BYTES = 4 * 1024 * 1024;
const LINE_BYTES_PER_MS = 25_000;

/** Runs as many transfers at once as the window says, each as fast as `msOf` makes it with so many at once. */
function settle(window: RequestWindow, msOf: (atOnce: number) => number, transfers = 200): number {
  for (let count = 0; count < transfers; count++)
    window.finished({ peer: 'peer', bytes: PIECE_BYTES, durationMs: msOf(window.size), atOnce: window.size });
  return window.size;
}

describe('request window', () => {
  it('grows to its maximum where more at once slows nobody down', () => {
    const window = new RequestWindow({ min: 2, max: 32 });
    assert.equal(
      settle(window, () => 800),
      32,
    );
  });

  it('stays small where all share one line', () => {
    const window = new RequestWindow({ min: 2, max: 32 });
    const shared = (atOnce: number): number => (atOnce * PIECE_BYTES) / LINE_BYTES_PER_MS;
    assert.ok(settle(window, shared) <= 6, `${window.size} at once`);
  });

  it('gives way when the line becomes crowded', () => {
    const window = new RequestWindow({ min: 4, max: 32 });
    settle(window, () => 100);
    assert.equal(
      settle(window, () => 1000, 28),
      4,
    );
  });

  it('takes one step with each transfer, up and down', () => {
    const window = new RequestWindow({ min: 2, max: 32 });
    const alone = (): number => 100;
    assert.deepEqual([settle(window, alone, 1), settle(window, alone, 1)], [3, 4]);
    settle(window, alone, 4);
    assert.equal(
      settle(window, () => 1000, 1),
      7,
    );
  });

  it('does not take a slow peer for a crowded line', () => {
    const window = new RequestWindow({ min: 4, max: 8 });
    for (let count = 0; count < 20; count++) {
      window.finished({ peer: 'quick', bytes: PIECE_BYTES, durationMs: 10, atOnce: window.size });
      window.finished({ peer: 'slow', bytes: PIECE_BYTES, durationMs: 10_000, atOnce: window.size });
    }
    assert.equal(window.size, 8);
  });

  it('takes a short piece for what it is', () => {
    const window = new RequestWindow({ min: 2, max: 32 });
    for (let count = 0; count < 40; count++)
      for (const share of [1, 0.1])
        window.finished({ peer: 'peer', bytes: share * PIECE_BYTES, durationMs: share * 800, atOnce: window.size });
    assert.equal(window.size, 32);
  });

  it('does not grow beyond what is made use of', () => {
    const window = new RequestWindow({ min: 4, max: 64 });
    for (let count = 0; count < 20; count++)
      window.finished({ peer: 'peer', bytes: PIECE_BYTES, durationMs: 10, atOnce: 2 });
    assert.equal(window.size, 4);
  });

  it('never leaves its bounds', () => {
    const finished = fc.record({
      peer: fc.constantFrom('a', 'b'),
      bytes: fc.integer({ min: 1, max: 1e9 }),
      durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
      atOnce: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 64 }),
        fc.array(finished, { maxLength: 100, size: 'max' }),
        (min, max, all) => {
          const window = new RequestWindow({ min, max });
          for (const transfer of all) {
            window.finished(transfer);
            assert.ok(window.size >= Math.min(min, max) && window.size <= max);
          }
        },
      ),
    );
  });
});
