import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { DfpeerError } from '../../../src/core/errors.js';
import type { PieceSlice } from '../../../src/core/piece.js';
import { parseTaskId } from '../../../src/core/task-id.js';
import { ParentRefusedError } from '../../../src/peer/fetch/fetch-errors.js';
import type { PieceAnswer } from '../../../src/peer/fetch/connection/answer-reader.js';
import { parseAnnouncedDigest } from '../../../src/peer/fetch/parent/piece-body.js';
import { VortexPieceReader } from '../../../src/peer/fetch/parent/vortex-piece-reader.js';
import type { ParentPiece, ParentPieceRequest } from '../../../src/peer/fetch/piece-fetcher.js';
import { encodeContent, type PieceMetadata, VortexTag } from '../../../src/vortex/codec.js';
import { bytesOf, coded, digestOf, LAYOUT } from './support/fixtures.js';
import { useFetcher, useServers, useStoreFile } from './support/hooks.js';

/** A live exchange of two Rust peers: the last piece, one byte, of a file of 20,971,521. */
const CAPTURED = {
  taskId: parseTaskId('6da70f44fc737572ea904fb1dba286de04da44b779d68365a2526d7defa8fde1'),
  request:
    '00000000443664613730663434666337333735373265613930346662316462613238366465303464613434623737396436383336356132353236643764656661386664653100000005',
  answer:
    'b401000000410000003d00000005000000000140000000000000000000010000001063726333323a313831323539343538390000000001000000000000000000000000 6b010b39 72',
  slice: { number: 5, offset: 20_971_520, length: 1 },
};
/** A live answer of a Rust peer that does not have the piece. */
const CAPTURED_NOT_FOUND =
  '8fff0000005702706965636520383930333766663533323032363636323438626265613365323839646234386431326433633162653533306132653465613230346263613131636437363831352d3939393939206e6f7420666f756e64';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

function metadataOf(slice: PieceSlice, more: Partial<PieceMetadata> = {}): PieceMetadata {
  const fixed = { parentId: '', trafficType: 1, costSeconds: 0, createdAtSeconds: 1_700_000_000 };
  return { ...slice, digest: digestOf(slice), ...fixed, ...more };
}

describe('a piece from a parent over vortex', () => {
  const servers = useServers();
  const fetcher = useFetcher();
  const file = useStoreFile();

  function fetchPiece(port: number, more: Partial<ParentPieceRequest> = {}): Promise<ParentPiece> {
    return fetcher().fromParent({
      endpoint: { protocol: 'vortex', host: '127.0.0.1', port },
      taskId: CAPTURED.taskId,
      childPeerId: 'child',
      slice: LAYOUT.slice(2),
      path: file().path,
      signal: new AbortController().signal,
      idleTimeoutMs: 5000,
      timeoutMs: 10_000,
      ...more,
    });
  }

  /** Answers a request with `answer` and closes, as Rust parents do; fails it when the child half-closes before that. */
  function parent(answer: Buffer, onRequest?: (request: Buffer, socket: Socket) => void): Promise<number> {
    return servers.tcp((socket) => {
      let closedEarly = false;
      socket.once('end', () => (closedEarly = true));
      socket.once('data', (request) => {
        onRequest?.(request, socket);
        socket.write(answer.subarray(0, answer.length - 1));
        setImmediate(() => socket.end(closedEarly ? '' : answer.subarray(answer.length - 1)));
      });
    });
  }

  it('repeats the captured exchange byte for byte', async () => {
    let asked = '';
    const port = await parent(hex(CAPTURED.answer), (request) => (asked = request.toString('hex')));
    const { costMs, ...piece } = await fetchPiece(port, { slice: CAPTURED.slice });
    assert.equal(asked.slice(2), CAPTURED.request, 'all but the random packet id');
    const digest = 'crc32:1812594589';
    assert.deepEqual(piece, { slice: CAPTURED.slice, digest, toldRoute: undefined });
    assert.deepEqual(file().read(CAPTURED.slice), Buffer.from('72', 'hex'));
    assert.ok(costMs > 0);
  });

  it('is written at its offset', async () => {
    const slice = LAYOUT.slice(2);
    const port = await parent(Buffer.concat([encodeContent(metadataOf(slice)), bytesOf(slice)]));
    assert.equal((await fetchPiece(port)).digest, digestOf(slice));
    assert.deepEqual(file().read(slice), bytesOf(slice));
    assert.ok(
      file()
        .read(LAYOUT.slice(1))
        .every((byte) => byte === 0),
    );
  });

  it('is taken without a digest', async () => {
    const slice = LAYOUT.slice(2);
    const port = await parent(Buffer.concat([encodeContent(metadataOf(slice, { digest: '' })), bytesOf(slice)]));
    assert.equal((await fetchPiece(port)).digest, digestOf(slice));
  });

  it('fails with the captured error of a parent that does not have it', async () => {
    const port = await parent(hex(CAPTURED_NOT_FOUND));
    await assert.rejects(fetchPiece(port), (error) => {
      assert.ok(error instanceof ParentRefusedError);
      assert.equal(error.status, 2);
      assert.match(error.message, /not found: piece 89037ff.*-99999 not found$/);
      return true;
    });
  });

  for (const [what, more] of [
    ['number', { number: 1 }],
    ['offset', { offset: 0 }],
    ['length', { length: 17 }],
    ['digest algorithm', { digest: 'md5:0' }],
  ] as const)
    it(`fails when the parent answers with another ${what}`, async () => {
      const port = await parent(encodeContent(metadataOf(LAYOUT.slice(2), more)));
      await assert.rejects(fetchPiece(port), coded('DFP_PARENT_PROTOCOL'));
      assert.ok(
        file()
          .readAll()
          .every((byte) => byte === 0),
        'nothing was written',
      );
    });

  it('fails when the parent answers with a piece of another kind of task', async () => {
    const content = encodeContent(metadataOf(LAYOUT.slice(2)), 0, VortexTag.PERSISTENT_PIECE_CONTENT);
    const port = await parent(Buffer.concat([content, bytesOf(LAYOUT.slice(2))]));
    await assert.rejects(fetchPiece(port), coded('DFP_PARENT_PROTOCOL'));
  });

  it('takes the largest digest', () => {
    assert.equal(parseAnnouncedDigest('crc32:4294967295'), 'crc32:4294967295');
  });

  it('fails when its bytes are not what the parent announced', async () => {
    const slice = LAYOUT.slice(2);
    const port = await parent(Buffer.concat([encodeContent(metadataOf(slice)), bytesOf(LAYOUT.slice(0))]));
    await assert.rejects(fetchPiece(port), coded('DFP_PIECE_DIGEST'));
  });

  it('fails when the parent closes in mid-piece', async () => {
    const slice = LAYOUT.slice(2);
    const port = await parent(Buffer.concat([encodeContent(metadataOf(slice)), bytesOf(slice).subarray(0, 500)]));
    await assert.rejects(fetchPiece(port), coded('DFP_PARENT_UNREACHABLE', /after 500 of/));
  });

  it('fails when the parent closes without an answer, or answers with a request', async () => {
    const silent = await servers.tcp((socket) => socket.once('data', () => socket.end()));
    await assert.rejects(fetchPiece(silent), coded('DFP_PARENT_UNREACHABLE', /before its answer/));
    const echo = await servers.tcp((socket) => socket.once('data', (request) => socket.end(request)));
    await assert.rejects(fetchPiece(echo), coded('DFP_PARENT_PROTOCOL', /a request packet/));
  });

  it('comes as a whole, whatever blocks were wished for', async () => {
    const slice = LAYOUT.slice(2);
    const port = await parent(Buffer.concat([encodeContent(metadataOf(slice)), bytesOf(slice)]));
    const blocks = { blockLength: 64 * 1024, onBlock: () => assert.fail('told a block') };
    assert.equal((await fetchPiece(port, { blocksWish: 'always', blocks })).digest, digestOf(slice));
  });

  describe('its reader', () => {
    const slice = { number: 0, offset: 0, length: 3000 };
    const digest = 'crc32:0';

    function readInCuts(bytes: Buffer, cuts: readonly number[]): PieceAnswer | undefined {
      const reader = new VortexPieceReader({ parent: 'parent', path: file().path, slice });
      try {
        const marks = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])].sort((a, b) => a - b);
        for (const [index, from] of marks.slice(0, -1).entries()) {
          const chunk = Buffer.from(bytes.subarray(from, marks[index + 1]));
          const answer = reader.read(chunk);
          chunk.fill(0);
          if (answer !== undefined) return answer;
        }
        return undefined;
      } finally {
        reader.close();
      }
    }

    it('gives the same result however the answer is cut', () => {
      fc.assert(
        fc.property(
          fc.array(fc.nat(), { maxLength: 8 }),
          fc.array(fc.nat({ max: 90 }), { maxLength: 4 }),
          (cuts, early) => {
            const packet = encodeContent(metadataOf(slice));
            const answer = readInCuts(Buffer.concat([packet, bytesOf(slice)]), [...cuts, ...early]);
            assert.equal(answer?.digest, digestOf(slice));
            assert.deepEqual(file().read(slice), bytesOf(slice));
          },
        ),
        { numRuns: 60 },
      );
    });

    it('never does anything with a mutated answer but wait, accept it, or refuse with a code', () => {
      const valid = Buffer.concat([encodeContent(metadataOf(slice, { digest })), Buffer.alloc(slice.length)]);
      const mutation = fc.tuple(fc.nat({ max: 90 }), fc.integer({ min: 0, max: 255 }));
      fc.assert(
        fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.array(fc.nat()), (mutations, cuts) => {
          const bytes = Buffer.from(valid);
          for (const [at, byte] of mutations) bytes[at] = byte;
          try {
            readInCuts(bytes, cuts);
          } catch (error) {
            assert.ok(error instanceof DfpeerError && error.code !== 'DFP_INTERNAL', String(error));
          }
        }),
        { numRuns: 200 },
      );
    });
  });
});
