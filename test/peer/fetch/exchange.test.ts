import assert from 'node:assert/strict';
import type { AnswerReader } from '../../../src/peer/fetch/connection/answer-reader.js';
import { exchange } from '../../../src/peer/fetch/connection/exchange.js';
import type { ConnectionConsumer, PieceConnection } from '../../../src/peer/fetch/connection/piece-connection.js';
import { Transfer } from '../../../src/peer/fetch/transfer.js';

const ANSWER = { digest: 'crc32:0', toldRoute: undefined, reusable: true };
const HEAD_BYTES = 100;
const PIECE_BYTES = 1000;
const BLOCK_BYTES = 400;

/** Of a head and a piece that come as they like. */
function readerOf(): AnswerReader {
  let taken = 0;
  return {
    pieceLength: PIECE_BYTES,
    get pieceBytes() {
      return Math.max(taken - HEAD_BYTES, 0);
    },
    get untilBlockEnd() {
      return BLOCK_BYTES - (this.pieceBytes % BLOCK_BYTES);
    },
    read: ({ length }) => ((taken += length) === HEAD_BYTES + PIECE_BYTES ? ANSWER : undefined),
    end: () => assert.fail('the end came too early'),
    close: () => undefined,
  };
}

describe('a request and its answer', () => {
  const port = { requestLease: () => undefined, reportProgress: () => undefined, deliverPiece: () => undefined };
  let transfer: Transfer;
  let connection: {
    consumer?: ConnectionConsumer | undefined;
    expected: number[];
    written: string[];
    destroyed: boolean;
  };
  let answer: Promise<unknown>;

  beforeEach(() => {
    transfer = new Transfer({ waitingFor: 'parent', timeoutMs: 10_000, metered: false, reportsProgress: false, port });
    connection = { expected: [], written: [], destroyed: false };
  });
  afterEach(() => transfer.close());

  function begin(): void {
    const fake = Object.assign(connection, {
      expect: (_: number, missing: number) => void connection.expected.push(missing),
      write: (text: string) => void connection.written.push(text),
      destroy: () => (connection.destroyed = true),
    });
    answer = exchange(fake as unknown as PieceConnection, 'a request', readerOf(), transfer);
  }

  it('waits for more at once only within a block: before the piece nobody knows how much comes, behind the block others may wait', async () => {
    begin();
    for (const bytes of [HEAD_BYTES / 2, HEAD_BYTES / 2, 300, 100, PIECE_BYTES - 400])
      connection.consumer?.onBytes(new Uint8Array(bytes));
    assert.equal(await answer, ANSWER);
    assert.deepEqual(connection.expected, [0, 0, BLOCK_BYTES - 300, BLOCK_BYTES, 0]);
  });

  it('is not sent once it is not wanted any more', async () => {
    transfer.abort(new Error('enough'));
    begin();
    await assert.rejects(answer, /enough/);
    assert.deepEqual(connection.written, []);
    assert.ok(connection.destroyed);
  });
});
