import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MAX_PIECE_SET_PIECES, PieceSet } from '../../src/core/piece-set.js';

describe('piece set', () => {
  it('arrives as it was sent', () => {
    const numbers = fc.uniqueArray(fc.nat({ max: MAX_PIECE_SET_PIECES - 1 }));
    fc.assert(
      fc.property(numbers, (held) => {
        const sent = PieceSet.of(MAX_PIECE_SET_PIECES, (number) => held.includes(number));
        const received = PieceSet.from(sent?.bytes ?? Buffer.alloc(0));
        assert.equal(received?.size, held.length);
        for (const number of held) assert.ok(received.has(number) && !received.has(MAX_PIECE_SET_PIECES + number));
      }),
      { numRuns: 30 },
    );
  });

  it('is not made for tasks of very many pieces', () => {
    assert.equal(
      PieceSet.of(MAX_PIECE_SET_PIECES + 1, () => true),
      undefined,
    );
  });

  it('is not read from more bytes than it can have', () => {
    assert.equal(PieceSet.from(Buffer.alloc(MAX_PIECE_SET_PIECES / 8 + 1)), undefined);
  });
});
