import assert from 'node:assert/strict';
import fc from 'fast-check';
import { derivePieceLength, formatPieceDigest, PieceLayout } from '../../src/core/piece.js';
import { crc32 } from 'node:zlib';

const MIB = 1024 * 1024;

describe('piece layout', () => {
  // Limits from Dragonfly's client (docs/WIRE.md 5.3).
  const lengths: [number, number][] = [
    [0, 4], [1, 4], [2_097_152_499, 4], [2_097_152_500, 8], [4_194_304_499, 8], [4_194_304_500, 16],
    [8_388_608_499, 16], [16_777_216_499, 32], [16_777_216_500, 64], [1e15, 64],
  ]; // prettier-ignore
  for (const [contentLength, mib] of lengths)
    it(`cuts ${contentLength} bytes into pieces of ${mib} MiB`, () =>
      assert.equal(derivePieceLength(contentLength), mib * MIB));

  it('covers every byte exactly once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: 1, max: 5_000 }),
        (contentLength, pieceLength) => {
          const layout = new PieceLayout(contentLength, pieceLength);
          let offset = 0;
          for (const slice of layout.all()) {
            assert.equal(slice.offset, offset);
            assert.ok(slice.length > 0 && slice.length <= pieceLength);
            offset += slice.length;
          }
          assert.equal(offset, contentLength);
        },
      ),
    );
  });

  it('finds just the pieces that a range touches', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 500 }),
        fc.nat(12_000),
        fc.nat(12_000),
        (contentLength, pieceLength, offset, length) => {
          const layout = new PieceLayout(contentLength, pieceLength);
          const touched = layout
            .all()
            .filter((slice) => length > 0 && slice.offset < offset + length && offset < slice.offset + slice.length);
          assert.deepEqual(layout.covering({ offset, length }), touched);
        },
      ),
    );
  });

  it('refuses what is no length', () => {
    for (const [contentLength, pieceLength] of [
      [-1, 4],
      [1.5, 4],
      [2 ** 53, 4],
      [4, 0],
      [4, Number.NaN],
    ] as const)
      assert.throws(() => new PieceLayout(contentLength, pieceLength), /no piece layout/);
    assert.throws(() => new PieceLayout(10, 4).slice(3), /no piece 3/);
  });

  it('writes a CRC-32 as an unsigned decimal', () => {
    assert.equal(formatPieceDigest(crc32('test content')), 'crc32:1475635037');
    assert.equal(formatPieceDigest(-1), 'crc32:4294967295');
  });
});
