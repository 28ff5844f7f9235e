import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import type { FetchedPiece, OriginContent } from '../../../src/peer/fetch/piece-fetcher.js';
import { bytesOf, coded, CONTENT, digestOf, foundAt, LAYOUT, origin, PIECE_LENGTH } from './support/fixtures.js';
import { useFetcher, useServers, useStoreFile } from './support/hooks.js';

const chunked: RequestListener = (_, response) => {
  response.writeHead(200, { ETag: '"v1"' });
  // Odd chunks, so that pieces end in the middle of one.
  for (let at = 0; at < CONTENT.length; at += 99_991) response.write(CONTENT.subarray(at, at + 99_991));
  response.end();
};

describe('the whole content in one stream', () => {
  const servers = useServers();
  const fetcher = useFetcher();
  const file = useStoreFile();
  let pieces: FetchedPiece[];

  beforeEach(() => (pieces = []));

  async function streamFrom(
    listener: RequestListener,
    more: Partial<OriginContent> & { stored?: number[] } = {},
    onPiece = async (piece: FetchedPiece): Promise<void> => void pieces.push(piece),
  ): Promise<{ contentLength: number }> {
    const { url } = await servers.http(listener);
    const { stored = [], ...content } = more;
    return fetcher().streamFromOrigin({
      origin: foundAt(url, { supportsRange: false, ...content }),
      stored,
      pieceLength: PIECE_LENGTH,
      path: file().path,
      signal: new AbortController().signal,
      idleTimeoutMs: 5000,
      timeoutMs: 10_000,
      blocks: { blockLength: 64 * 1024, onBlock: () => assert.fail('a stream tells no blocks') },
      onPiece,
    });
  }

  function assertAllPieces(): void {
    assert.deepEqual(
      pieces.map(({ slice, digest }) => ({ slice, digest })),
      LAYOUT.all().map((slice) => ({ slice, digest: digestOf(slice) })),
    );
    assert.equal(file().readAll().compare(CONTENT), 0);
  }

  it('is cut into pieces with their digests, with a length and without', async () => {
    assert.deepEqual(await streamFrom(origin()), { contentLength: CONTENT.length });
    assertAllPieces();
    pieces = [];
    assert.deepEqual(await streamFrom(chunked, { contentLength: undefined }), { contentLength: CONTENT.length });
    assertAllPieces();
  });

  it('ends without an empty piece when the content ends with a piece', async () => {
    const listener: RequestListener = (_, response) =>
      response.writeHead(200).end(CONTENT.subarray(0, 2 * PIECE_LENGTH));
    const { contentLength } = await streamFrom(listener, { contentLength: undefined });
    assert.equal(contentLength, 2 * PIECE_LENGTH);
    assert.equal(pieces.length, 2);
  });

  it('is empty when the origin has nothing', async () => {
    const { contentLength } = await streamFrom((_, response) => response.writeHead(200).end(), {
      contentLength: undefined,
    });
    assert.equal(contentLength, 0);
    assert.equal(pieces.length, 0);
  });

  it('writes nothing over pieces that are stored, and tells what they are now', async () => {
    await streamFrom(origin(), { stored: [1] });
    assert.deepEqual(
      pieces.map(({ digest }) => digest),
      LAYOUT.all().map((slice) => digestOf(slice)),
    );
    assert.ok(
      file()
        .read(LAYOUT.slice(1))
        .every((byte) => byte === 0),
    );
    assert.deepEqual(file().read(LAYOUT.slice(2)), bytesOf(LAYOUT.slice(2)));
  });

  it('waits for each piece to be taken before the next is written', async () => {
    let taking = 0;
    const written: boolean[] = [];
    await streamFrom(origin(), {}, async (piece) => {
      assert.equal(++taking, 1, 'one at a time');
      await new Promise((resolve) => setTimeout(resolve, 20));
      const next = file()
        .readAll()
        .subarray(piece.slice.offset + piece.slice.length);
      written.push(next.some((byte) => byte !== 0));
      pieces.push(piece);
      taking--;
    });
    assertAllPieces();
    assert.deepEqual(written, [false, false, false, false]);
  });

  it('fails with the error of whoever takes the pieces, and asks for no more', async () => {
    const refusing = async (piece: FetchedPiece): Promise<void> => {
      pieces.push(piece);
      throw new Error('no room');
    };
    await assert.rejects(streamFrom(origin(), {}, refusing), coded('DFP_INTERNAL', /no room/));
    assert.equal(pieces.length, 1);
  });

  it('fails when a chunked stream is cut short, after the pieces that were whole', async () => {
    const listener: RequestListener = (_, response) => {
      response.writeHead(200);
      response.write(CONTENT.subarray(0, PIECE_LENGTH + 5), () => response.socket?.end());
    };
    await assert.rejects(streamFrom(listener, { contentLength: undefined }), coded('DFP_ORIGIN_LENGTH', /too early/));
    assert.equal(pieces.length, 1);
  });

  it('fails when there are fewer or more bytes than the known length, with a last piece that counts in neither case', async () => {
    const other =
      (length: number, isChunked = true): RequestListener =>
      (_, response) => {
        response.useChunkedEncodingByDefault = isChunked;
        response.writeHead(200, { Connection: 'close' }).end(Buffer.alloc(length, 1));
      };
    const length = CONTENT.length;
    await assert.rejects(streamFrom(other(length - 1)), coded('DFP_ORIGIN_CHANGED', /sends 917503 bytes/));
    await assert.rejects(streamFrom(other(length - 1, false)), coded('DFP_ORIGIN_LENGTH', /instead of/));
    await assert.rejects(streamFrom(other(length + 1)), coded('DFP_ORIGIN_CHANGED', /more than/));
    assert.equal(file().readAll().length, length, 'nothing is written beyond the content');
    const last = LAYOUT.all().at(-1)?.number;
    assert.deepEqual(
      pieces.filter(({ slice }) => slice.number === last),
      [],
    );
  });

  it('is taken from a server that always sends parts, where the part is all there is', async () => {
    const range = `bytes 0-${CONTENT.length - 1}/${CONTENT.length}`;
    await streamFrom((_, response) => response.writeHead(206, { 'Content-Range': range }).end(CONTENT));
    assertAllPieces();
  });

  it('fails when the content has another length or ETag by now', async () => {
    await assert.rejects(streamFrom(origin(), { contentLength: 5 }), coded('DFP_ORIGIN_CHANGED', /length/));
    await assert.rejects(streamFrom(origin(), { etag: '"v0"' }), coded('DFP_ORIGIN_CHANGED', /ETag/));
  });

  it('fails when the origin answers with a part or a refusal', async () => {
    const part: RequestListener = (_, response) =>
      response.writeHead(206, { 'Content-Range': `bytes 0-1/${CONTENT.length}` }).end('ab');
    await assert.rejects(streamFrom(part), coded('DFP_ORIGIN_STATUS', /206/));
    await assert.rejects(
      streamFrom((_, response) => response.writeHead(500).end()),
      coded('DFP_ORIGIN_STATUS', /500/),
    );
  });
});
