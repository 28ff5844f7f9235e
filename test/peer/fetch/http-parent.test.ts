import assert from 'node:assert/strict';
import { once } from 'node:events';
import { renameSync, symlinkSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { asError } from '../../../src/core/errors.js';
import { isRetryable, ParentRefusedError } from '../../../src/peer/fetch/fetch-errors.js';
import { HttpPieceReader, MAX_REFUSAL_BYTES } from '../../../src/peer/fetch/parent/http-piece-reader.js';
import type { ParentPiece, ParentPieceRequest } from '../../../src/peer/fetch/piece-fetcher.js';
import { bytesOf, closedPort, coded, digestOf, LAYOUT, origin, TASK_ID } from './support/fixtures.js';
import { useFetcher, useServers, useStoreFile } from './support/hooks.js';

/** A parent as our own piece server is one. */
const honest: RequestListener = (request, response) => {
  const first = Number(/^bytes=(\d+)/.exec(request.headers.range ?? '')?.[1]);
  response.setHeader('Dfpeer-Route', 'copy; reason=limited');
  response.setHeader('Dfpeer-Piece-Digest', digestOf(LAYOUT.slice(first / LAYOUT.pieceLength)));
  origin()(request, response);
};

/** One that tells which state of the content it has. */
const telling: RequestListener = (request, response) => {
  response.setHeader('Dfpeer-Content-Version', 'a1');
  honest(request, response);
};

describe('a piece from a parent over HTTP', () => {
  const servers = useServers();
  const fetcher = useFetcher();
  const file = useStoreFile();

  function fetchPiece(port: number, number = 1, more: Partial<ParentPieceRequest> = {}): Promise<ParentPiece> {
    return fetcher().fromParent({
      endpoint: { protocol: 'http', host: '127.0.0.1', port },
      taskId: TASK_ID,
      childPeerId: 'child 1',
      slice: LAYOUT.slice(number),
      path: file().path,
      signal: new AbortController().signal,
      idleTimeoutMs: 5000,
      timeoutMs: 10_000,
      ...more,
    });
  }

  /** Answers with raw bytes as soon as a request has come. */
  function rawParent(answer: (socket: Socket) => void): Promise<number> {
    return servers.tcp((socket) => socket.once('data', () => answer(socket)));
  }

  function head(fields: Record<string, string | number> = {}, status = '206 Partial Content'): string {
    const slice = LAYOUT.slice(1);
    const all = {
      'Content-Length': slice.length,
      'Content-Range': `bytes ${slice.offset}-${slice.offset + slice.length - 1}/${LAYOUT.contentLength}`,
      ...fields,
    };
    return [`HTTP/1.1 ${status}`, ...Object.entries(all).map(([key, value]) => `${key}: ${value}`), '', ''].join(
      '\r\n',
    );
  }

  it('is refused, with nothing written, when the parent has another state of the content by now', async () => {
    const { port } = await servers.http(telling);
    const other = fetchPiece(port, 1, { contentVersion: 'b2' });
    await assert.rejects(other, coded('DFP_PARENT_REFUSED', /another state of the content/));
    assert.ok(
      file()
        .readAll()
        .every((byte) => byte === 0),
    );
    assert.equal((await fetchPiece(port, 1, { contentVersion: 'a1' })).digest, digestOf(LAYOUT.slice(1)));
    assert.equal((await fetchPiece(port, 1)).digest, digestOf(LAYOUT.slice(1)));
    const { port: silentPort } = await servers.http(honest);
    assert.equal((await fetchPiece(silentPort, 1, { contentVersion: 'a1' })).digest, digestOf(LAYOUT.slice(1)));
  });

  it("is not written through a link in place of the task's file", async () => {
    const target = `${file().path}.target`;
    renameSync(file().path, target);
    symlinkSync(target, file().path);
    const { port } = await servers.http(honest);
    await assert.rejects(fetchPiece(port), coded('DFP_STORE_IO', /ELOOP/));
    assert.ok(
      file()
        .readAll()
        .every((byte) => byte === 0),
    );
  });

  it('is asked for by its range, written at its offset, and summed up', async () => {
    const seen: (string | undefined)[] = [];
    const { port } = await servers.http((request, response) => {
      seen.push(request.url, request.headers.range);
      honest(request, response);
    });
    const piece = await fetchPiece(port);
    const { costMs, ...rest } = piece;
    const digest = digestOf(LAYOUT.slice(1));
    const toldRoute = { route: 'copy', reason: 'limited' };
    assert.deepEqual(rest, { slice: LAYOUT.slice(1), digest, toldRoute });
    assert.ok(costMs > 0);
    const { offset, length } = LAYOUT.slice(1);
    assert.deepEqual(seen, [
      `/download/${TASK_ID.slice(0, 3)}/${TASK_ID}?peerId=child%201`,
      `bytes=${offset}-${offset + length - 1}`,
    ]);
    assert.deepEqual(file().read(LAYOUT.slice(1)), bytesOf(LAYOUT.slice(1)));
    assert.ok(
      file()
        .read(LAYOUT.slice(0))
        .every((byte) => byte === 0),
      'nothing outside the piece is touched',
    );
    assert.ok(
      file()
        .read(LAYOUT.slice(2))
        .every((byte) => byte === 0),
    );
  });

  it('comes over a connection that is kept for the next piece', async () => {
    let connections = 0;
    const { port, server } = await servers.http(honest);
    server.on('connection', () => connections++);
    for (const { number } of LAYOUT.all()) await fetchPiece(port, number);
    assert.equal(connections, 1);
    assert.equal(
      file()
        .readAll()
        .compare(bytesOf({ offset: 0, length: LAYOUT.contentLength })),
      0,
    );
  });

  it('is asked for again when the kept connection turns out to be closed', async () => {
    const sockets: Socket[] = [];
    const port = await servers.tcp((socket) => {
      sockets.push(socket);
      socket.once('data', () => {
        socket.write(Buffer.concat([Buffer.from(head()), bytesOf(LAYOUT.slice(1))]));
        // The next request on this connection finds it closed.
        socket.once('data', () => socket.destroy());
      });
    });
    await fetchPiece(port);
    await fetchPiece(port);
    assert.equal(sockets.length, 2);
  });

  it('comes over another connection when the parent wants to close the kept one', async () => {
    const sockets = new Set<Socket>();
    const port = await servers.tcp((socket) =>
      socket.on('data', () => {
        sockets.add(socket);
        socket.write(Buffer.concat([Buffer.from(head({ Connection: 'close' })), bytesOf(LAYOUT.slice(1))]));
      }),
    );
    await fetchPiece(port);
    await fetchPiece(port);
    assert.equal(sockets.size, 2);
  });

  it('fails when its bytes are not what the parent announced', async () => {
    const port = await rawParent((socket) => {
      socket.write(head({ 'Dfpeer-Piece-Digest': digestOf(LAYOUT.slice(1)) }));
      socket.end(bytesOf(LAYOUT.slice(0)));
    });
    await assert.rejects(fetchPiece(port), coded('DFP_PIECE_DIGEST', /crc32:\d+/));
  });

  it("fails with the parent's status, words and wish to be left alone", async () => {
    const { port } = await servers.http((_, response) => {
      response.setHeader('Retry-After', '7');
      response.statusCode = 429;
      response.end('busy:\n \u001b[31mtoo many\u001b[0m uploads');
    });
    await assert.rejects(fetchPiece(port), (error) => {
      assert.ok(error instanceof ParentRefusedError);
      assert.equal(error.code, 'DFP_PARENT_REFUSED');
      assert.equal(error.status, 429);
      assert.equal(error.retryAfterMs, 7000);
      assert.ok(isRetryable(error));
      assert.match(error.message, /HTTP 429 busy: \[31mtoo many \[0m uploads$/);
      return true;
    });
  });

  it('waits for no more than the first words of a refusal, and takes fewer than were announced', async () => {
    const refusal = head({ 'Content-Length': 100_000_000 }, '503 Busy');
    const long = await rawParent((socket) => void socket.write(refusal + 'x'.repeat(MAX_REFUSAL_BYTES)));
    await assert.rejects(fetchPiece(long, 1, { idleTimeoutMs: 700 }), coded('DFP_PARENT_REFUSED', /503 x+/));
    const cut = await rawParent((socket) => socket.end(`${refusal}no`));
    await assert.rejects(fetchPiece(cut), coded('DFP_PARENT_REFUSED', /503 no/));
  });

  for (const status of [404, 416, 503])
    it(`fails with the parent's ${status}`, async () => {
      const { port } = await servers.http((_, response) => response.writeHead(status).end());
      const refused = fetchPiece(port);
      await assert.rejects(refused, coded('DFP_PARENT_REFUSED', new RegExp(`HTTP ${status} \\w+`)));
      assert.equal(await refused.catch((error: unknown) => isRetryable(asError(error))), status === 503);
    });

  for (const [what, answer] of [
    ['the whole content', () => head({}, '200 OK')],
    ['another range', () => head({ 'Content-Range': `bytes 0-${LAYOUT.pieceLength - 1}/${LAYOUT.contentLength}` })],
    ['a shorter range', () => head().replace(/(Content-Range.*-\d+)\d/, '$10')],
    ['no Content-Range', () => head().replace(/Content-Range.*\r\n/, '')],
    ['no Content-Length', () => head().replace(/Content-Length.*\r\n/, '')],
    ['another length', () => head({ 'Content-Length': 5 })],
    ['a chunked body', () => head({ 'Transfer-Encoding': 'chunked' })],
    ['an encoded body', () => head({ 'Content-Encoding': 'gzip' })],
    ['an unknown digest', () => head({ 'Dfpeer-Piece-Digest': 'md5:00' })],
    ['a digest out of range', () => head({ 'Dfpeer-Piece-Digest': 'crc32:4294967296' })],
    ['a redirect', () => head({ Location: 'http://127.0.0.1/' }, '302 Found')],
    ['something that is not HTTP', () => 'SSH-2.0-OpenSSH_9\r\n\r\n'],
  ] as const)
    it(`fails when the parent answers with ${what}`, async () => {
      const port = await rawParent((socket) => socket.end(answer()));
      await assert.rejects(fetchPiece(port), coded('DFP_PARENT_PROTOCOL'));
      assert.ok(
        file()
          .readAll()
          .every((byte) => byte === 0),
        'nothing was written',
      );
    });

  it('fails when the parent sends more than the piece', () => {
    const slice = LAYOUT.slice(1);
    const request = { parent: 'parent', authority: 'a', taskId: TASK_ID, childPeerId: 'c', path: file().path, slice };
    const reader = new HttpPieceReader(request);
    assert.equal(reader.read(Buffer.from(head())), undefined);
    assert.throws(() => reader.read(Buffer.alloc(slice.length + 1)), coded('DFP_PARENT_PROTOCOL', /more than/));
    reader.close();
  });

  it('fails when the connection ends in mid-piece', async () => {
    const port = await rawParent((socket) => {
      socket.write(head());
      socket.end(bytesOf(LAYOUT.slice(1)).subarray(0, 1000));
    });
    await assert.rejects(fetchPiece(port), coded('DFP_PARENT_UNREACHABLE', /after 1000 of/));
  });

  it('fails when the connection is reset in mid-piece', async () => {
    const port = await rawParent((socket) => {
      socket.write(head(), () => socket.resetAndDestroy());
    });
    await assert.rejects(fetchPiece(port), coded('DFP_PARENT_UNREACHABLE'));
  });

  it('fails when nobody listens', async () => {
    await assert.rejects(fetchPiece(await closedPort()), coded('DFP_PARENT_UNREACHABLE', /ECONNREFUSED/));
  });

  it('stalls when only its head comes, a byte at a time', async () => {
    const port = await rawParent((socket) => {
      const bytes = Buffer.from(head());
      let sent = 0;
      const drip = setInterval(() => socket.write(bytes.subarray(sent, ++sent)), 50);
      socket.on('end', () => socket.end()).once('close', () => clearInterval(drip));
    });
    const dripped = fetchPiece(port, 1, { idleTimeoutMs: 700, timeoutMs: 2000 });
    await assert.rejects(dripped, coded('DFP_STALLED', /700 ms.*0 so far/));
  });

  it('stalls when bytes stop coming, and the parent sees the connection closed', async () => {
    let closed: Promise<unknown> | undefined;
    const port = await rawParent((socket) => {
      closed = once(socket, 'close');
      socket.on('end', () => socket.end()).resume();
      socket.write(head());
      socket.write(bytesOf(LAYOUT.slice(1)).subarray(0, 1000));
    });
    await assert.rejects(fetchPiece(port, 1, { idleTimeoutMs: 700 }), coded('DFP_STALLED', /700 ms.*1000 so far/));
    await closed;
  });

  it('is not taken for silent when it gets slow in mid-piece', async () => {
    const bytes = bytesOf(LAYOUT.slice(1));
    const answer = async (socket: Socket): Promise<void> => {
      socket.write(head());
      let sent = 0;
      const send = async (length: number, pauseMs: number): Promise<void> => {
        socket.write(bytes.subarray(sent, (sent += length)));
        await sleep(pauseMs);
      };
      // So fast that much is waited for at once, then far too little for that.
      while (sent < bytes.length / 2) await send(8 * 1024, 2);
      for (let turn = 0; turn < 8; turn++) await send(100, 100);
      await send(bytes.length - sent, 0);
    };
    const port = await rawParent((socket) => void answer(socket));
    await fetchPiece(port, 1, { idleTimeoutMs: 600 });
    assert.deepEqual(file().read(LAYOUT.slice(1)), bytes);
  });

  it('misses its deadline when bytes drip forever', async () => {
    const port = await rawParent((socket) => {
      socket.write(head());
      const drip = setInterval(() => socket.write('x'), 5);
      socket.on('close', () => clearInterval(drip));
    });
    await assert.rejects(fetchPiece(port, 1, { timeoutMs: 150 }), coded('DFP_DEADLINE', /150 ms/));
  });
});
