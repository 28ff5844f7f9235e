import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import fc from 'fast-check';
import { decodeDownloadAnswer, encodeDownloadRequest } from '../../src/cli/daemon-call/download-messages.js';
import { decodeDownloadState, encodeWatchRequest } from '../../src/cli/daemon-call/download-state.js';
import { callDaemon, grpcTimeout } from '../../src/cli/daemon-call/grpc-call.js';
import { MessageSplitter } from '../../src/cli/daemon-call/message-splitter.js';
import { readFields } from '../../src/core/protobuf.js';
import { GrpcStatusError, statusErrorOf } from '../../src/cli/daemon-call/status-error.js';
import { parseStory } from '../../src/cli/daemon-call/story.js';
import { DfpeerError, OriginError } from '../../src/core/errors.js';
import type { TrafficType } from '../../src/core/piece.js';
import { DfdaemonDownload, DfpeerAdmin } from '../../src/grpc/protos.js';
import { toGrpcError } from '../../src/grpc/status.js';

const { requestDeserialize, responseSerialize } = DfdaemonDownload.service.DownloadTask;
const length = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: 'binary' });

describe('what dfget sends', () => {
  it('is what the library of the other side reads', () =>
    fc.assert(
      fc.property(
        fc.record(
          {
            url: text,
            digest: fc.option(text, { nil: undefined }),
            tag: text,
            application: text,
            priority: fc.nat({ max: 6 }),
            filteredQueryParams: fc.array(text),
            requestHeader: fc.dictionary(fc.string({ minLength: 1 }), text),
            pieceLength: fc.option(length, { nil: undefined }),
            outputPath: fc.option(text, { nil: undefined }),
            disableBackToSource: fc.boolean(),
            needPieceContent: fc.boolean(),
            forceHardLink: fc.boolean(),
            overwrite: fc.boolean(),
            contentForCalculatingTaskId: fc.option(text, { nil: undefined }),
          },
          { noNullPrototype: true },
        ),
        fc.nat({ max: 10 ** 12 }),
        (order, timeoutMs) => {
          const { download } = requestDeserialize(encodeDownloadRequest(order, timeoutMs));
          assert.ok(download !== null);
          for (const [name, value] of Object.entries(order))
            if (value !== undefined) {
              const read: unknown = download[name as keyof typeof download];
              assert.deepEqual(
                name === 'priority' ? priorityOf(read) : { ...Object(read) },
                name === 'priority' ? value : { ...Object(value) },
                name,
              );
            } else assert.equal(download[name as keyof typeof download], undefined, name);
          const { seconds = 0, nanos = 0 } = download.timeout ?? {};
          assert.equal(seconds * 1000 + nanos / 1e6, timeoutMs);
        },
      ),
    ));
});

/** The generated types name enumerations by their name or number. */
function priorityOf(value: unknown): number {
  return typeof value === 'number' ? value : Number(String(value).replace('LEVEL', ''));
}

describe('what dfget reads', () => {
  it('is what the library of the other side sends', () =>
    fc.assert(
      fc.property(
        fc.record(
          {
            number: fc.nat({ max: 2 ** 32 - 1 }),
            offset: length,
            length,
            parentId: fc.option(text, { nil: undefined }),
            content: fc.option(
              fc.uint8Array().map((bytes) => Buffer.from(bytes)),
              { nil: undefined },
            ),
            trafficType: fc.constantFrom<TrafficType[]>(0, 1, 2),
            costMs: fc.nat(),
          },
          { noNullPrototype: true },
        ),
        fc.option(fc.record({ start: length, length }, { noNullPrototype: true }), { nil: undefined }),
        text,
        (piece, range, taskId) => {
          const { costMs, parentId, content, ...rest } = piece;
          const wirePiece = {
            ...rest,
            digest: 'crc32:1',
            cost: { seconds: Math.floor(costMs / 1000), nanos: (costMs % 1000) * 1e6 },
            createdAt: { seconds: 1, nanos: 2 },
            ...(parentId === undefined ? {} : { parentId }),
            ...(content === undefined ? {} : { content }),
          };
          const finished = { hostId: 'h', taskId, peerId: 'p', downloadPieceFinishedResponse: { piece: wirePiece } };
          const answer = decodeDownloadAnswer(responseSerialize(finished));
          assert.deepEqual(answer, { taskId, peerId: 'p', started: undefined, piece });
          const started = {
            contentLength: piece.length,
            responseHeader: { a: 'b' },
            pieces: [wirePiece],
            isFinished: true,
            ...(range === undefined ? {} : { range }),
          };
          const first = decodeDownloadAnswer(responseSerialize({ taskId, downloadTaskStartedResponse: started }));
          assert.deepEqual(first.started, { contentLength: piece.length, range, pieces: [piece] });
        },
      ),
    ));

  it('is refused with a RangeError when it is malformed, whatever it is', () =>
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          decodeDownloadAnswer(Buffer.from(bytes));
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
        }
      }),
    ));

  it('skips fields that it does not know, of any width', () => {
    const unknown = Buffer.from([0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4, 0x08, 0x96, 0x01]);
    assert.deepEqual([...readFields(unknown)], [{ number: 1, value: 150 }]);
  });

  it('comes in messages however the chunks are cut', () =>
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1 }),
        (messages, cuts) => {
          const framed = Buffer.concat(messages.flatMap((each) => [Buffer.from([0, 0, 0, 0, each.length]), each]));
          const splitter = new MessageSplitter();
          const found: Buffer[] = [];
          for (let at = 0; at < framed.length;) {
            const cut = cuts[found.length % cuts.length] ?? 1;
            found.push(...splitter.push(framed.subarray(at, at + cut)));
            at += cut;
          }
          assert.deepEqual(
            found.map((each) => [...each]),
            messages.map((each) => [...each]),
          );
        },
      ),
    ));

  it('is how far a download is', () =>
    fc.assert(
      fc.property(
        fc.record(
          {
            contentLength: fc.option(length, { nil: undefined }),
            storedBytes: length,
            arrivingFromPeers: length,
            arrivingFromOrigin: length,
          },
          { noNullPrototype: true },
        ),
        text,
        (state, taskId) => {
          const { requestDeserialize, responseSerialize } = DfpeerAdmin.service.WatchDownload;
          assert.equal(requestDeserialize(encodeWatchRequest(taskId)).taskId, Buffer.from(taskId).toString());
          const { contentLength, ...sizes } = state;
          const sent = responseSerialize({ ...sizes, ...(contentLength === undefined ? {} : { contentLength }) });
          assert.deepEqual(decodeDownloadState(sent), state);
        },
      ),
    ));

  it('is never a compressed message', () => {
    assert.throws(() => new MessageSplitter().push(Buffer.from([1, 0, 0, 0, 0])), RangeError);
  });
});

describe('the timeout that the daemon hears of', () => {
  it('is at most what a timer can wait, and never less than a shorter one', () => {
    const unitMs: Record<string, number> = { m: 1, S: 1000 };
    const longestMs = 2 ** 31 - 1;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 ** 15 }), (ms) => {
        const [, digits, unit = ''] = /^(\d{1,8})([mS])$/.exec(grpcTimeout(ms)) ?? [];
        const told = Number(digits) * (unitMs[unit] ?? NaN);
        assert.ok(told <= longestMs && told >= Math.min(ms, longestMs - 1000), grpcTimeout(ms));
      }),
    );
  });
});

describe('a daemon during a call of dfget', () => {
  let server: Server | undefined;

  afterEach(() => {
    server?.close();
    server = undefined;
  });

  async function call(listening: Server, timeoutMs: number): Promise<unknown> {
    server = listening.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const connection = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(connection, 'connect');
    return callDaemon({
      ...{ connection, daemon: 'the daemon on /x', path: '/a/b', message: Buffer.alloc(0), metadata: {}, timeoutMs },
      signal: new AbortController().signal,
      onMetadata: () => undefined,
      onMessage: () => undefined,
      pingIntervalMs: 20,
    });
  }

  it('that gives no sign of life is not waited for', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined).resume());
    await assert.rejects(call(silent, 60_000), {
      code: 'DFP_DAEMON_UNREACHABLE',
      message: /^the daemon on \/x does not answer: .*dfdaemon doctor/,
    });
  });

  it('that only takes its time is waited for', async () => {
    let pings = 0;
    const slow = createHttp2Server();
    slow.on('stream', (stream) => {
      stream.session?.on('ping', () => {
        if (++pings < 10 || stream.headersSent) return;
        stream.respond({ ':status': 200, 'grpc-status': '0' }, { endStream: true });
      });
    });
    await call(slow, 60_000);
    assert.ok(pings >= 10);
  });
});

describe('how a call of dfget ends', () => {
  const trailersOf = (error: unknown): Record<string, string> => {
    const { code, details, metadata } = toGrpcError(error);
    const entries = Object.entries(metadata.getMap()).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : value.toString('base64'),
    ]);
    const own = Object.fromEntries(entries) as Record<string, string>;
    return { 'grpc-status': String(code), 'grpc-message': encodeURIComponent(details), ...own };
  };

  it('keeps the code and the words of our own daemon', () => {
    const error = statusErrorOf(trailersOf(new DfpeerError('DFP_STORE_FULL', 'no room – 100 %')));
    assert.ok(error instanceof DfpeerError);
    assert.deepEqual([error.code, error.message], ['DFP_STORE_FULL', 'no room – 100 %']);
  });

  it("passes the origin's answer on that a daemon of Dragonfly tells", () => {
    const answer = new OriginError('DFP_ORIGIN_STATUS', 'no', { status: 403, headers: { server: 'x' } });
    const trailers = trailersOf(answer);
    delete trailers['dfpeer-error-code'];
    const error = statusErrorOf(trailers);
    assert.ok(error instanceof OriginError);
    assert.deepEqual([error.status, error.headers], [403, { server: 'x' }]);
  });

  it('names any other status', () => {
    const error = statusErrorOf({ 'grpc-status': '14', 'grpc-message': '100%' });
    assert.ok(error instanceof GrpcStatusError);
    assert.deepEqual([error.status, error.message], ['UNAVAILABLE', 'UNAVAILABLE 100%']);
    assert.equal(statusErrorOf({ 'grpc-status': '0' }), undefined);
    assert.ok(statusErrorOf({}) instanceof GrpcStatusError);
  });

  it('tolerates any story', () => {
    assert.deepEqual(parseStory(encodeURIComponent('{"firstByteMs":3,"originReason":"é","new":1}')), {
      firstByteMs: 3,
      originReason: 'é',
      carried: [],
    });
    for (const story of [undefined, '', '%', '[]', '{"firstByteMs":"3"}', 'null', ['a']])
      assert.deepEqual(parseStory(story), { carried: [] }, String(story));
  });
});
