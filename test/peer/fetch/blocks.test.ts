import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { DfpeerError } from '../../../src/core/errors.js';
import { formatPieceDigest, type PieceSlice } from '../../../src/core/piece.js';
import { MIN_DIRECT_BYTES } from '../../../src/peer/fetch/origin/direct-origins.js';
import type { FetchCommon, FetchedPiece, ParentPieceRequest } from '../../../src/peer/fetch/piece-fetcher.js';
import { BlockWatch, type Block, cutIntoBlocks, framed } from './support/blocks.js';
import { coded, foundAt, TASK_ID } from './support/fixtures.js';
import { useFetcher, useServers, useStoreFile } from './support/hooks.js';

/** Large enough for direct connections to origins; the second piece is too small for them. */
const PIECE_BYTES = MIN_DIRECT_BYTES + 4096;
const BIG = Buffer.from(
  Uint32Array.from({ length: (1.5 * PIECE_BYTES) / 4 }, (_, index) => Math.imul(index, 2654435761)).buffer,
);
const LARGE: PieceSlice = { number: 0, offset: 0, length: PIECE_BYTES };
const SMALL: PieceSlice = { number: 1, offset: PIECE_BYTES, length: BIG.length - PIECE_BYTES };
const BLOCK_BYTES = 200_000;

function bytesOf({ offset, length }: PieceSlice): Buffer {
  return BIG.subarray(offset, offset + length);
}

function digestOf(slice: PieceSlice): string {
  return formatPieceDigest(crc32(bytesOf(slice)));
}

function askedOf(request: IncomingMessage): PieceSlice {
  const slice = [LARGE, SMALL].find(
    ({ offset, length }) => request.headers.range === `bytes=${offset}-${offset + length - 1}`,
  );
  assert.ok(slice !== undefined, request.headers.range);
  return slice;
}

function rangeOf({ offset, length }: PieceSlice): Record<string, string> {
  return { ETag: '"v1"', 'Content-Range': `bytes ${offset}-${offset + length - 1}/${BIG.length}` };
}

describe('the blocks of a piece', () => {
  const servers = useServers();
  const fetcher = useFetcher();
  const file = useStoreFile();
  let watch: BlockWatch;

  function common(slice: PieceSlice, more: Partial<FetchCommon> = {}): FetchCommon & { slice: PieceSlice } {
    watch = new BlockWatch(file(), slice, bytesOf(slice), BLOCK_BYTES);
    const { signal } = new AbortController();
    return { path: file().path, signal, blocks: watch, idleTimeoutMs: 5000, timeoutMs: 10_000, slice, ...more };
  }

  function fromParent(port: number, slice: PieceSlice, more: Partial<ParentPieceRequest> = {}): Promise<FetchedPiece> {
    const endpoint = { protocol: 'http', host: '127.0.0.1', port } as const;
    const parent = { endpoint, taskId: TASK_ID, childPeerId: 'child', blocksWish: 'arriving' } as const;
    return fetcher().fromParent({ ...common(slice, more), ...parent, ...more });
  }

  function fromOrigin(url: string, slice: PieceSlice, more: Partial<FetchCommon> = {}): Promise<FetchedPiece> {
    const origin = foundAt(url, { contentLength: BIG.length, lastModified: undefined });
    return fetcher().fromOrigin({ ...common(slice, more), origin });
  }

  /** Sends a block only after the one before it was told. */
  async function sendAsTold(
    response: ServerResponse,
    slice: PieceSlice,
    format: (block: Block) => Buffer,
  ): Promise<void> {
    for (const [index, block] of cutIntoBlocks(bytesOf(slice), BLOCK_BYTES).entries()) {
      await watch.untilTold(index);
      response.write(format(block));
    }
    response.end();
  }

  /** A parent that sends blocks to those who ask for them. */
  const parent: RequestListener = (request, response) => {
    const slice = askedOf(request);
    const inBlocks = request.headers['dfpeer-blocks'] !== undefined;
    const blocks = cutIntoBlocks(bytesOf(slice), BLOCK_BYTES);
    const head = { ...rangeOf(slice), 'Content-Length': slice.length + (inBlocks ? 4 * blocks.length : 0) };
    response.writeHead(206, inBlocks ? { ...head, 'Dfpeer-Blocks': BLOCK_BYTES } : head);
    if (inBlocks) void sendAsTold(response, slice, framed);
    else response.end(bytesOf(slice));
  };

  /** Of an origin that sends no more than was told before. */
  const slowly =
    (more: (slice: PieceSlice) => Record<string, string | number>): RequestListener =>
    (request, response) => {
      const slice = askedOf(request);
      response.writeHead(206, { ...rangeOf(slice), ...more(slice) });
      void sendAsTold(response, slice, ({ bytes }) => bytes);
    };

  function assertCame(piece: FetchedPiece, slice: PieceSlice): void {
    assert.equal(watch.told, watch.all);
    assert.equal(piece.digest, digestOf(slice));
    assert.equal(file().read(slice).compare(bytesOf(slice)), 0);
  }

  it('from a parent are told one by one while the rest is still to come', async () => {
    const { port } = await servers.http(parent);
    for (const slice of [LARGE, SMALL]) assertCame(await fromParent(port, slice), slice);
  });

  it('from an origin are told like that as well, on a direct connection and through the library', async () => {
    const { url } = await servers.http(slowly(({ length }) => ({ 'Content-Length': length })));
    for (const slice of [LARGE, SMALL]) assertCame(await fromOrigin(url, slice), slice);
  });

  it('from an origin are told once where its answer is chunked, so that the library has to ask again', async () => {
    let asked = 0;
    const chunked = slowly(() => ({ 'Transfer-Encoding': 'chunked' }));
    const { url } = await servers.http((...args) => (asked++, chunked(...args)));
    assertCame(await fromOrigin(url, LARGE), LARGE);
    assert.equal(asked, 2);
  });

  it('from an origin are told once where a redirect leads to them', async () => {
    const asked: (string | undefined)[] = [];
    const plain = slowly(({ length }) => ({ 'Content-Length': length }));
    const { url } = await servers.http((request, response) => {
      asked.push(request.url);
      if (request.url === '/file') response.writeHead(302, { Location: '/elsewhere' }).end();
      else plain(request, response);
    });
    assertCame(await fromOrigin(url, LARGE), LARGE);
    assert.deepEqual(asked, ['/file', '/file', '/elsewhere']);
  });

  it('leave the connection to a parent fit for the next piece, in blocks or not', async () => {
    const { port, server } = await servers.http(parent);
    let connections = 0;
    server.on('connection', () => connections++);
    for (const blocksWish of ['always', undefined, 'arriving'] as const) {
      const piece = await fromParent(port, SMALL, { blocksWish });
      assert.equal(piece.digest, digestOf(SMALL));
      assert.equal(watch.told, blocksWish === undefined ? 0 : watch.all);
    }
    assert.equal(connections, 1);
  });

  it('are not told when a parent that was asked for them sends the piece as a whole', async () => {
    const { port } = await servers.http((request, response) => {
      delete request.headers['dfpeer-blocks'];
      parent(request, response);
    });
    assert.equal((await fromParent(port, SMALL)).digest, digestOf(SMALL));
    assert.equal(watch.told, 0);
  });

  it('that came before a bad one stay told; the piece fails before its end', async () => {
    const { port } = await servers.http((request, response) => {
      const slice = askedOf(request);
      const [first, second] = cutIntoBlocks(bytesOf(slice), BLOCK_BYTES);
      assert.ok(first !== undefined && second !== undefined);
      const length = slice.length + 4 * watch.all;
      response.writeHead(206, { ...rangeOf(slice), 'Content-Length': length, 'Dfpeer-Blocks': BLOCK_BYTES });
      response.write(framed(first));
      response.write(framed({ ...second, sum: second.sum ^ 1 }));
    });
    await assert.rejects(fromParent(port, LARGE), coded('DFP_PIECE_DIGEST', /block 2 of 6/));
    assert.equal(watch.told, 1);
  });

  it('abort the fetch when they are not taken', async () => {
    const { port, server } = await servers.http(parent);
    const closed = once(server, 'request').then(([request]) => once((request as IncomingMessage).socket, 'close'));
    const onBlock = (): never => {
      throw new DfpeerError('DFP_STORE_IO', 'the block is not wanted');
    };
    const blocks = { blockLength: BLOCK_BYTES, onBlock };
    await assert.rejects(fromParent(port, LARGE, { blocks }), coded('DFP_STORE_IO', /not wanted/));
    await closed;
  });

  it('are all told before the fetch ends', async () => {
    const { port } = await servers.http(parent);
    const piece = fromParent(port, LARGE);
    await watch.untilTold(watch.all - 1);
    await piece;
    const { told } = watch;
    await setImmediate();
    assert.deepEqual([told, watch.told], [watch.all, watch.all]);
  });

  for (const blockLength of [0, -1, 1.5, Number.NaN])
    it(`can not be of ${blockLength} bytes`, async () => {
      const blocks = { blockLength, onBlock: () => undefined };
      await assert.rejects(fromOrigin('http://127.0.0.1:1/', LARGE, { blocks }), coded('DFP_INVALID_ARGUMENT'));
    });
});
