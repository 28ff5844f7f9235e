import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MAX_PIECE_SET_PIECES, PieceSet } from '../../src/core/piece-set.js';

describe('piece set', () => {
  it('arrives as it was sent', () => {
    const numbers = fc.uniqueArray(fc.nat({ max: MAX_PIECE_SET_PIECES - 1 }));
    fc.assert(
      fc.property(numbers, (held) => {
        const sent = PieceSet.of(MAX_PIECE_SET_PIECES, (number) => held.includes(number));
        const received = PieceSet.parse(String(sent));
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

  it('never reads more than a bound, nor what is no base64url', () => {
    fc.assert(fc.property(fc.string(), (text) => void PieceSet.parse(text)));
    assert.equal(PieceSet.parse('A'.repeat(MAX_PIECE_SET_PIECES)), undefined);
    assert.equal(PieceSet.parse('%41'), undefined);
  });
});
