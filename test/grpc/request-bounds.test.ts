import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import { silentLogger } from '../../src/core/logger.js';
import { MessageWriter } from '../../src/core/protobuf.js';
import { unary } from '../../src/grpc/handlers.js';
import { MAX_REQUEST_FIELDS } from '../../src/grpc/message-fields.js';
import { Scheduler } from '../../src/grpc/protos.js';
import { startGrpcServer, type GrpcServer, type GrpcServerLimits } from '../../src/grpc/server.js';
import { REQUEST_TIMEOUT_MS } from '../../src/grpc/unfinished-requests.js';
import { grpcFrame, openCall, openSession, statusOf } from '../attacks/support/http2-attacker.js';
import { until } from '../support/until.js';
import { ManualClock } from '../support/manual-clock.js';

const [UNARY, STREAM] = ['/scheduler.v2.Scheduler/DeleteHost', '/scheduler.v2.Scheduler/AnnouncePeer'];
const DELETE_HOST = grpcFrame(new MessageWriter().text(1, 'h').finish());
const ANNOUNCE = grpcFrame(new MessageWriter().text(1, 'h').text(2, 't').text(3, 'p').finish());

describe('the requests of a gRPC server', () => {
  let clock: ManualClock;
  let heard: EventEmitter;
  let server: GrpcServer;
  let session: ClientHttp2Session;

  async function start(limits: Partial<GrpcServerLimits> = {}): Promise<void> {
    clock = new ManualClock();
    heard = new EventEmitter();
    const { DeleteHost, AnnouncePeer } = Scheduler.service;
    server = await startGrpcServer({
      listen: { ip: '127.0.0.1', port: 0 },
      services: [
        {
          name: 'scheduler.v2.Scheduler',
          definition: { DeleteHost, AnnouncePeer },
          implementation: {
            DeleteHost: unary('scheduler.v2.DeleteHostRequest', silentLogger, () => ({})),
            AnnouncePeer: (call: ServerDuplexStream<object, object>) => {
              call.on('data', () => heard.emit('message')).on('error', () => undefined);
            },
          },
        },
      ],
      limits,
      logger: silentLogger,
      clock,
    });
    session = openSession(server.port);
  }

  afterEach(async () => {
    session.destroy();
    await server.stop(0);
  });

  /** Requests are read in order of their arrival. */
  async function begin(path: string, bytes: Uint8Array): Promise<ClientHttp2Stream> {
    const call = openCall(session, path);
    call.write(bytes);
    const later = openCall(session, UNARY);
    later.end(DELETE_HOST);
    assert.equal(await statusOf(later), status.OK);
    return call;
  }

  for (const [name, path, bytes] of [
    ['that is not sent', UNARY, Buffer.alloc(0)],
    ['of which a part is missing', UNARY, DELETE_HOST.subarray(0, -1)],
    ['that may be followed by another where one is allowed', UNARY, DELETE_HOST],
    ['of a stream of which a part is missing', STREAM, Buffer.concat([ANNOUNCE, ANNOUNCE.subarray(0, 3)])],
  ] as const)
    it(`has no time without end for one ${name}`, async () => {
      await start();
      const call = await begin(path, bytes);
      clock.advance(REQUEST_TIMEOUT_MS - 1);
      assert.equal(call.closed, false);
      clock.advance(1);
      assert.equal(await closeCodeOf(call), constants.NGHTTP2_ENHANCE_YOUR_CALM);
    });

  it('may come as late as they like in a stream, and in parts', async () => {
    await start();
    const call = openCall(session, STREAM);
    for (let turn = 0; turn < 3; turn++) {
      const message = once(heard, 'message');
      call.write(ANNOUNCE.subarray(0, 7));
      call.write(ANNOUNCE.subarray(7));
      await message;
      clock.advance(REQUEST_TIMEOUT_MS);
    }
    assert.equal(call.closed, false);
  });

  it('are so many at once, and of one IP, and the next when one has ended', async () => {
    await start({ maxCallsPerIp: 2 });
    const first = await begin(STREAM, ANNOUNCE);
    const second = openCall(session, STREAM);
    second.write(ANNOUNCE);
    const third = openCall(session, UNARY);
    third.end(DELETE_HOST);
    assert.equal(await closeCodeOf(third), constants.NGHTTP2_ENHANCE_YOUR_CALM);
    first.close();
    await until('the server to know that a call has ended', async () => {
      const next = openCall(session, UNARY);
      next.end(DELETE_HOST);
      return (await statusOf(next)) === status.OK;
    });
  });

  it('are refused unread when they have too many fields, in whatever part of them', async () => {
    await start();
    const empty = (field: number, count: number): Buffer => Buffer.alloc(2 * count, Uint8Array.of(field * 8 + 2, 0));
    const candidates = (count: number): Buffer => new MessageWriter().bytes(7, empty(1, count)).finish();
    const pieces = new MessageWriter().bytes(7, new MessageWriter().bytes(1, empty(4, MAX_REQUEST_FIELDS)).finish());
    for (const bytes of [candidates(MAX_REQUEST_FIELDS), pieces.finish()]) {
      const call = openCall(session, STREAM);
      call.write(grpcFrame(bytes));
      const [headers] = (await once(call, 'response')) as [Record<string, unknown>];
      assert.equal(headers['grpc-status'], String(status.INTERNAL));
    }
    const message = once(heard, 'message');
    openCall(session, STREAM).write(grpcFrame(candidates(MAX_REQUEST_FIELDS - 1)));
    await message;
  });
});

function closeCodeOf(call: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve) => call.once('close', () => resolve(call.rstCode)));
}
