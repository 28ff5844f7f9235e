import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DfpeerError } from '../../../src/core/errors.js';
import type { PieceSlice } from '../../../src/core/piece.js';
import type { PieceAnswer } from '../../../src/peer/fetch/connection/answer-reader.js';
import { MAX_BLOCKS_OF_PIECE } from '../../../src/peer/fetch/parent/blocks-body.js';
import {
  formatPieceRequest,
  HttpPieceReader,
  type HttpPieceRequest,
} from '../../../src/peer/fetch/parent/http-piece-reader.js';
import { BlockWatch, inBlocks } from './support/blocks.js';
import { bytesOf, coded, CONTENT, digestOf, TASK_ID } from './support/fixtures.js';
import { useStoreFile } from './support/hooks.js';

const pieces = fc
  .record({ length: fc.integer({ min: 1, max: 300 }), blockLength: fc.integer({ min: 1, max: 400 }) })
  .map(({ length, blockLength }) => {
    const slice = { number: 1, offset: 1000, length };
    return { slice, blockLength, body: inBlocks(bytesOf(slice), blockLength) };
  });
const cuts = fc.array(fc.nat(), { maxLength: 40, size: 'max' });

function head({ offset, length }: PieceSlice, fields: Record<string, string | number>): Buffer {
  const all = { 'Content-Range': `bytes ${offset}-${offset + length - 1}/${CONTENT.length}`, ...fields };
  const lines = Object.entries(all).map(([key, value]) => `${key}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 206 Partial Content\r\n${lines.join('')}\r\n`);
}

function headOf(slice: PieceSlice, blockLength: number, body: Buffer, more: Record<string, string> = {}): Buffer {
  return head(slice, { 'Content-Length': body.length, 'Dfpeer-Blocks': blockLength, ...more });
}

/** The code of what it throws. */
function codeOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    assert.ok(error instanceof DfpeerError, String(error));
    return error.code;
  }
}

describe('a piece from a parent in blocks', () => {
  const file = useStoreFile();
  let watch: BlockWatch;

  function readerOf(slice: PieceSlice, blockLength: number, more: Partial<HttpPieceRequest> = {}): HttpPieceReader {
    watch = new BlockWatch(file(), slice, bytesOf(slice), blockLength);
    const request = { parent: 'parent', authority: 'a', taskId: TASK_ID, childPeerId: 'c', path: file().path, slice };
    return new HttpPieceReader({ ...request, blocksWish: 'arriving', blocks: watch, ...more });
  }

  /** In one reused buffer, as in production. */
  function feed(
    reader: HttpPieceReader,
    wire: Buffer,
    at: readonly number[],
    onRead?: (bytesLeft: number) => void,
  ): PieceAnswer | undefined {
    const marks = [...new Set([0, ...at.map((cut) => cut % wire.length), wire.length])].sort((a, b) => a - b);
    let answer: PieceAnswer | undefined;
    try {
      for (const [index, from] of marks.slice(0, -1).entries()) {
        assert.equal(answer, undefined, 'complete before its end');
        const chunk = Buffer.from(wire.subarray(from, marks[index + 1]));
        answer = reader.read(chunk);
        chunk.fill(0);
        onRead?.(wire.length - from - chunk.length);
      }
      return answer;
    } finally {
      reader.close();
    }
  }

  it('is the same however the answer is cut, and each block is told once it is in the file', () => {
    fc.assert(
      fc.property(pieces, cuts, fc.boolean(), ({ slice, blockLength, body }, at, isAnnounced) => {
        const reader = readerOf(slice, blockLength);
        const announced = isAnnounced ? { 'Dfpeer-Piece-Digest': digestOf(slice) } : undefined;
        const wire = Buffer.concat([headOf(slice, blockLength, body, announced), body]);
        const answer = feed(reader, wire, at, (bytesLeft) => {
          if (reader.pieceBytes === 0 || bytesLeft === 0) return;
          // The kernel may be told to wait for so many: they must be certain to come, and not hold up the end of a block.
          assert.ok(reader.untilBlockEnd > 0 && reader.untilBlockEnd <= bytesLeft);
          const blockEnd = reader.pieceBytes + reader.untilBlockEnd;
          assert.ok(blockEnd % blockLength === 0 || blockEnd === slice.length);
          assert.ok(reader.untilBlockEnd <= blockLength);
        });
        assert.deepEqual(answer, { digest: digestOf(slice), toldRoute: undefined, reusable: true });
        assert.equal(watch.told, watch.all);
        assert.deepEqual(file().read(slice), bytesOf(slice));
      }),
    );
  });

  it('fails at the first block that is not what its sum says, which is never told', () => {
    const spoilt = fc.record({ at: fc.nat(), mask: fc.integer({ min: 1, max: 255 }) });
    fc.assert(
      fc.property(pieces, cuts, spoilt, ({ slice, blockLength, body }, at, { at: place, mask }) => {
        const bad = Buffer.from(body);
        const index = place % body.length;
        bad[index] = (bad[index] ?? 0) ^ mask;
        const reader = readerOf(slice, blockLength);
        const wire = Buffer.concat([headOf(slice, blockLength, body), bad]);
        const code = codeOf(() => feed(reader, wire, at));
        assert.equal(code, 'DFP_PIECE_DIGEST');
        assert.equal(watch.told, Math.floor(index / (blockLength + 4)));
      }),
    );
  });

  it('names the bad block, and does not wait for the rest', () => {
    const slice = { number: 7, offset: 0, length: 40 };
    const body = inBlocks(bytesOf(slice), 10);
    body[14 + 5] = 0xff;
    const reader = readerOf(slice, 10);
    const wire = Buffer.concat([headOf(slice, 10, body), body.subarray(0, 2 * 14)]);
    const text = /^piece 7 from parent has crc32:\d+ at the end of block 2 of 4, but crc32:\d+ was announced$/;
    assert.throws(() => feed(reader, wire, []), coded('DFP_PIECE_DIGEST', text));
    assert.equal(watch.told, 1);
  });

  it('fails when it ends too early, wherever that is', () => {
    fc.assert(
      fc.property(pieces, cuts, fc.nat(), ({ slice, blockLength, body }, at, end) => {
        const reader = readerOf(slice, blockLength);
        const come = body.subarray(0, end % body.length);
        assert.equal(feed(reader, Buffer.concat([headOf(slice, blockLength, body), come]), at), undefined);
        const text = new RegExp(`of ${slice.length} bytes of piece ${slice.number}, which came no further there$`);
        assert.throws(() => reader.end(), coded('DFP_PARENT_REFUSED', text));
        assert.equal(watch.told, Math.floor(come.length / (blockLength + 4)));
      }),
    );
  });

  it('fails when more is sent than the piece', () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 9 }), ({ slice, blockLength, body }, more) => {
        const wire = Buffer.concat([headOf(slice, blockLength, body), body, Buffer.alloc(more)]);
        const code = codeOf(() => feed(readerOf(slice, blockLength), wire, []));
        assert.equal(code, 'DFP_PARENT_PROTOCOL');
        assert.equal(watch.told, 0);
      }),
    );
  });

  it('tells no blocks of another length than was wanted, and is verified all the same', () => {
    fc.assert(
      fc.property(pieces, cuts, ({ slice, blockLength, body }, at) => {
        const wire = Buffer.concat([headOf(slice, blockLength, body), body]);
        assert.equal(feed(readerOf(slice, blockLength + 1), wire, at)?.digest, digestOf(slice));
        assert.equal(watch.told, 0);
        const unwatched = readerOf(slice, blockLength, { blocks: undefined });
        assert.equal(feed(unwatched, wire, at)?.digest, digestOf(slice));
        wire[wire.length - 1] = ~(wire.at(-1) ?? 0);
        const code = codeOf(() => feed(readerOf(slice, blockLength + 1), wire, at));
        assert.equal(code, 'DFP_PIECE_DIGEST');
      }),
    );
  });

  it('fails before its last block is told when the parent announced another digest of the piece', () => {
    const slice = { number: 1, offset: 0, length: 35 };
    const body = inBlocks(bytesOf(slice), 10);
    const wire = Buffer.concat([headOf(slice, 10, body, { 'Dfpeer-Piece-Digest': 'crc32:1' }), body]);
    const other = coded('DFP_PIECE_DIGEST', /as its last sum, but crc32:1 was announced/);
    assert.throws(() => feed(readerOf(slice, 10), wire, []), other);
    assert.equal(watch.told, 3);
  });

  it('may be one short block', () => {
    const slice = { number: 1, offset: 0, length: 35 };
    const body = inBlocks(bytesOf(slice), 1000);
    const wire = Buffer.concat([headOf(slice, 1000, body), body]);
    assert.equal(feed(readerOf(slice, 1000), wire, [])?.digest, digestOf(slice));
    assert.equal(watch.told, 1);
  });

  it('is refused, with nothing written, when its head makes no sense', () => {
    const slice = { number: 1, offset: 0, length: 10 * MAX_BLOCKS_OF_PIECE };
    const lengthIn = (blockLength: number): number => slice.length + 4 * Math.ceil(slice.length / blockLength);
    for (const [blocks, contentLength, text] of [
      ['0', slice.length, /impossible/],
      ['-10', lengthIn(10), /impossible/],
      ['10.5', lengthIn(10.5), /impossible/],
      ['1e3', lengthIn(1000), /impossible/],
      ['', slice.length, /impossible/],
      ['arriving', slice.length, /impossible.*"arriving"/],
      ['9', lengthIn(9), /impossible/],
      ['99999999999', slice.length + 4, /impossible/],
      ['1000', slice.length, /Content-Length/],
      ['1000', lengthIn(1000) + 4, /Content-Length/],
    ] as const) {
      const wire = head(slice, { 'Content-Length': contentLength, 'Dfpeer-Blocks': blocks });
      const reader = readerOf(slice, 1000);
      assert.throws(() => feed(reader, Buffer.concat([wire, bytesOf(slice)]), []), coded('DFP_PARENT_PROTOCOL', text));
    }
    const body = inBlocks(bytesOf(slice), 1000);
    const wire = Buffer.concat([headOf(slice, 1000, body), body]);
    const notAsked = coded('DFP_PARENT_PROTOCOL', /not asked for/);
    assert.throws(() => feed(readerOf(slice, 1000, { blocksWish: undefined }), wire, []), notAsked);
    const isUntouched = file()
      .readAll()
      .every((byte) => byte === 0);
    assert.ok(isUntouched);
    const most = inBlocks(bytesOf(slice), 10);
    assert.ok(feed(readerOf(slice, 10), Buffer.concat([headOf(slice, 10, most), most]), []) !== undefined);
    assert.equal(watch.told, MAX_BLOCKS_OF_PIECE);
  });

  it('is asked for by a header of its own, and only where blocks may come', () => {
    const slice = { number: 0, offset: 0, length: 10 };
    const request = { parent: 'parent', authority: 'a', taskId: TASK_ID, childPeerId: 'c', path: file().path, slice };
    assert.doesNotMatch(formatPieceRequest(request), /blocks/i);
    for (const blocksWish of ['arriving', 'always'] as const)
      assert.match(formatPieceRequest({ ...request, blocksWish }), new RegExp(`\r\nDfpeer-Blocks: ${blocksWish}\r\n`));
  });
});
