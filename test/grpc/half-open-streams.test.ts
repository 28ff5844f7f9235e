import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import { status } from '@grpc/grpc-js';
import { silentLogger } from '../../src/core/logger.js';
import type { AnnouncePeerRequest } from '../../src/generated/scheduler/v2/AnnouncePeerRequest.js';
import type { AnnounceHostRequest } from '../../src/generated/scheduler/v2/AnnounceHostRequest.js';
import { Scheduler } from '../../src/grpc/protos.js';
import type { GrpcServerLimits } from '../../src/grpc/server.js';
import { startEmbeddedScheduler } from '../../src/scheduler/embedded-scheduler.js';

const IDS = { hostId: 'h', taskId: '0'.repeat(64), peerId: 'p' };
const DOWNLOAD = {
  url: 'http://127.0.0.1/x',
  actualContentLength: 10,
  actualPieceLength: 4194304,
  actualPieceCount: 1,
};

/** A client that speaks HTTP/2 by hand, since gRPC libraries hide what happens to the stream. */
class RawClient implements AsyncDisposable {
  private constructor(
    readonly session: ClientHttp2Session,
    readonly stop: () => Promise<void>,
  ) {}

  static async start(settings: { initialWindowSize?: number; serverLimits?: Partial<GrpcServerLimits> } = {}) {
    const { initialWindowSize, serverLimits = {} } = settings;
    const scheduler = await startEmbeddedScheduler({ ip: '127.0.0.1', port: 0, logger: silentLogger, serverLimits });
    const session = connect(`http://${scheduler.address}`, {
      settings: initialWindowSize === undefined ? {} : { initialWindowSize },
    });
    return new RawClient(session, () => scheduler.stop());
  }

  async announceHost(): Promise<void> {
    const host = { id: 'h', hostname: 'h', ip: '127.0.0.1', port: 4000, downloadPort: 4000 };
    const stream = this.open('AnnounceHost');
    stream.end(frame(Scheduler.service.AnnounceHost.requestSerialize({ host } satisfies AnnounceHostRequest)));
    stream.resume();
    await once(stream, 'close');
  }

  open(method: string): ClientHttp2Stream {
    return this.session.request(
      {
        ':method': 'POST',
        ':path': `/scheduler.v2.Scheduler/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
      },
      { endStream: false },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
    await this.stop();
  }
}

function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function say(stream: ClientHttp2Stream, request: AnnouncePeerRequest): void {
  stream.write(frame(Scheduler.service.AnnouncePeer.requestSerialize({ ...IDS, ...request })));
}

/** What arrives of a stream whose own half stays open, in order, until it closes. */
async function untilClosed(stream: ClientHttp2Stream): Promise<{ events: string[]; bytes: number; code: unknown }> {
  const events: string[] = [];
  let bytes = 0;
  let code: unknown;
  stream.on('response', (headers: IncomingHttpHeaders) => {
    events.push('headers');
    code ??= headers['grpc-status'];
  });
  stream.on('trailers', (trailers: IncomingHttpHeaders) => {
    events.push('trailers');
    code ??= trailers['grpc-status'];
  });
  stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
  assert.equal(stream.writableEnded, false, 'the client must not have closed its half');
  await once(stream, 'close');
  events.push('closed');
  return { events, bytes, code };
}

describe('a stream whose client never closes its half', () => {
  it('is closed by the server after the trailers of a finished download', async () => {
    await using client = await RawClient.start();
    await client.announceHost();
    const stream = client.open('AnnouncePeer');
    const closed = untilClosed(stream);
    say(stream, { registerPeerRequest: { download: DOWNLOAD } });
    say(stream, { downloadPeerBackToSourceStartedRequest: {} });
    say(stream, { downloadPeerBackToSourceFinishedRequest: {} });
    const { events, bytes, code } = await closed;
    assert.deepEqual(events, ['headers', 'trailers', 'closed']);
    assert.ok(bytes > 5, 'the answer arrived');
    assert.equal(Number(code), status.OK);
    assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  });

  it('is closed after an error, too', async () => {
    await using client = await RawClient.start();
    const stream = client.open('AnnouncePeer');
    const closed = untilClosed(stream);
    say(stream, { downloadPeerStartedRequest: {} });
    const { events, code } = await closed;
    assert.deepEqual(events, ['headers', 'trailers', 'closed']);
    assert.equal(Number(code), status.NOT_FOUND);
    assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  });

  it('is closed when the status travels in the headers alone', async () => {
    await using client = await RawClient.start({ serverLimits: { requestsPerSecond: 1 } });
    await client.announceHost();
    const stream = client.open('AnnouncePeer');
    const { events, code } = await untilClosed(stream);
    assert.deepEqual(events, ['headers', 'closed']);
    assert.equal(Number(code), status.RESOURCE_EXHAUSTED);
    assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  });

  it('gets its whole answer first, however slowly it reads', async () => {
    await using client = await RawClient.start({ initialWindowSize: 1 });
    await client.announceHost();
    const stream = client.open('AnnouncePeer');
    say(stream, { registerPeerRequest: { download: DOWNLOAD } });
    say(stream, { downloadPeerBackToSourceStartedRequest: {} });
    say(stream, { downloadPeerBackToSourceFinishedRequest: {} });
    const { events, bytes, code } = await untilClosed(stream);
    assert.deepEqual(events, ['headers', 'trailers', 'closed']);
    assert.ok(bytes > 20);
    assert.equal(Number(code), status.OK);
  });
});
