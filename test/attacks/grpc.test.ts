import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { credentials, status, type ServiceError } from '@grpc/grpc-js';
import { MessageWriter } from '../../src/core/protobuf.js';
import { DfdaemonUpload } from '../../src/grpc/protos.js';
import { MAX_UNFINISHED_REQUEST_BYTES } from '../../src/grpc/unfinished-requests.js';
import { DEFAULT_GRPC_SERVER_LIMITS } from '../../src/grpc/server.js';
import { until } from '../support/until.js';
import { useSharedDirectory } from '../support/temporary-directory.js';
import { AttackedDaemon, MAX_GROWTH_BYTES } from './support/attacked-daemon.js';
import { grpcFrame, http2Frame, HTTP2_PREFACE, openCall, openSession, statusOf } from './support/http2-attacker.js';
import { destroyAll, flood, openRaw, readUntilClosed } from './support/raw-connections.js';

const STAT = '/dfdaemon.v2.DfdaemonUpload/StatLocalTask';
const SYNC_HOST = '/dfdaemon.v2.DfdaemonUpload/SyncHost';
const [HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION] = [1, 3, 4, 6, 9];
const { maxConnectionsPerIp, maxMessageBytes } = DEFAULT_GRPC_SERVER_LIMITS;

describe('the gRPC port of a daemon under attack', function () {
  this.timeout(60_000);
  const directory = useSharedDirectory();
  let target: AttackedDaemon;

  before(async () => {
    target = await AttackedDaemon.start(directory());
  });
  beforeEach(() => target.rest());
  after(() => target.end());

  /** An honest caller still gets an answer. */
  async function assertAnswers(maxGrowthBytes?: number): Promise<void> {
    const client = new DfdaemonUpload(`127.0.0.1:${target.ports.grpc}`, credentials.createInsecure());
    const error = await new Promise<ServiceError | null>((resolve) =>
      client.statLocalTask({ taskId: target.taskId }, { deadline: Date.now() + 10_000 }, resolve),
    );
    client.close();
    assert.equal(error, null);
    await target.assertUnharmed(maxGrowthBytes);
  }

  async function send(bytes: Uint8Array): Promise<void> {
    const socket = openRaw(target.ports.grpc);
    socket.end(bytes);
    await readUntilClosed(socket);
  }

  it('refuses a message beyond its bound, also one that only says so', async () => {
    const session = openSession(target.ports.grpc);
    const large = openCall(session, STAT);
    large.end(grpcFrame(Buffer.alloc(maxMessageBytes + 1, 97)));
    assert.equal(await statusOf(large), status.RESOURCE_EXHAUSTED);
    const liar = openCall(session, STAT);
    const frame = grpcFrame(Buffer.from('x'));
    frame.writeUInt32BE(0xffffffff, 1);
    liar.end(frame);
    assert.equal(await statusOf(liar), status.RESOURCE_EXHAUSTED);
    session.destroy();
    await assertAnswers();
  });

  it('does not unpack a bomb', async () => {
    const session = openSession(target.ports.grpc);
    const bomb = grpcFrame(gzipSync(Buffer.alloc(128 * 1024 * 1024)), true);
    const stream = openCall(session, STAT, { 'grpc-encoding': 'gzip' });
    stream.end(bomb);
    assert.equal(await statusOf(stream), status.RESOURCE_EXHAUSTED);
    session.destroy();
    await assertAnswers();
  });

  it('keeps little of requests that never end', async () => {
    const [ofOne, sessions] = [60, Array.from({ length: 4 }, () => openSession(target.ports.grpc))];
    const part = grpcFrame(Buffer.alloc(maxMessageBytes, 97)).subarray(0, -1);
    let ended = 0;
    for (const session of sessions)
      for (let count = 0; count < ofOne; count++)
        openCall(session, STAT).resume().once('close', () => ended++).write(part); // prettier-ignore
    const kept = Math.floor(MAX_UNFINISHED_REQUEST_BYTES / maxMessageBytes);
    await until('the oldest to be ended', async () => ended >= sessions.length * ofOne - kept, 30_000);
    await assertAnswers(MAX_GROWTH_BYTES + 2 * MAX_UNFINISHED_REQUEST_BYTES);
    for (const session of sessions) session.destroy();
  });

  it('does not take apart what has millions of parts', async () => {
    const session = openSession(target.ports.grpc);
    const certificates = new MessageWriter().bytes(15, Buffer.alloc(0)).finish();
    const download = Buffer.alloc(4_000_000, certificates);
    const bombs = [
      ['DownloadTask', new MessageWriter().bytes(1, download)],
      ['SyncPieces', new MessageWriter().text(1, 'h').text(2, target.taskId).bytes(3, Buffer.alloc(4_000_000, 1))],
    ] as const;
    for (const [method, bomb] of bombs) {
      const stream = openCall(session, `/dfdaemon.v2.DfdaemonUpload/${method}`);
      stream.end(grpcFrame(bomb.finish()));
      assert.equal(await statusOf(stream), status.INTERNAL, method);
    }
    session.destroy();
    await assertAnswers();
  });

  it('answers headers of megabytes, and thousands of them, with an end', async () => {
    for (const headers of [
      { 'x-large': 'a'.repeat(1_000_000) },
      Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`x-${index}`, 'b'.repeat(50)])),
    ]) {
      const session = openSession(target.ports.grpc);
      const stream = openCall(session, STAT, headers);
      stream.end(grpcFrame(Buffer.alloc(0)));
      await statusOf(stream);
      session.destroy();
    }
    await assertAnswers();
  });

  it('survives streams that are opened and reset without end', async () => {
    const reset = Buffer.alloc(4);
    const frames: Buffer[] = [HTTP2_PREFACE];
    // :method POST, :scheme http, :path / — enough to open a stream.
    const block = Buffer.from([0x83, 0x86, 0x84]);
    for (let id = 1; id < 40_000; id += 2)
      frames.push(http2Frame(HEADERS, 0x04, id, block), http2Frame(RST_STREAM, 0, id, reset));
    await send(Buffer.concat(frames));
    await assertAnswers();
  });

  it('survives floods of PING, SETTINGS and CONTINUATION', async () => {
    const ping = http2Frame(PING, 0, 0, Buffer.alloc(8));
    await send(Buffer.concat([HTTP2_PREFACE, ...Array.from({ length: 50_000 }, () => ping)]));
    const settings = http2Frame(SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 1]));
    await send(Buffer.concat([HTTP2_PREFACE, ...Array.from({ length: 50_000 }, () => settings)]));
    const endless = http2Frame(CONTINUATION, 0, 1, Buffer.alloc(16_000, 0x40));
    const begin = http2Frame(HEADERS, 0, 1, Buffer.from([0x83]));
    await send(Buffer.concat([HTTP2_PREFACE, begin, ...Array.from({ length: 500 }, () => endless)]));
    await assertAnswers();
  });

  it('lets an IP that opens connections without end have its share and no more', async () => {
    const sockets = await flood(target.ports.grpc, { cap: maxConnectionsPerIp, excess: 100 });
    await target.assertUnharmed();
    const warnings = target.daemon.output.filter((line) => line.includes('gRPC connections are refused'));
    assert.equal(warnings.length, 1, 'the log is not flooded');
    destroyAll(sockets);
    await assertAnswers();
  });

  it('keeps no memory for clients that read nothing of their streams', async () => {
    const session = openSession(target.ports.grpc);
    const request = Buffer.concat([Buffer.from([0x0a, 1, 97, 0x12, 1, 97])]);
    const streams = Array.from({ length: 200 }, () => {
      const stream = openCall(session, SYNC_HOST);
      stream.pause();
      stream.end(grpcFrame(request));
      return stream;
    });
    await assertAnswers();
    for (const stream of streams) stream.close();
    session.destroy();
    await assertAnswers();
  });

  it('answers RESOURCE_EXHAUSTED beyond the rate of requests', async () => {
    const limited = await AttackedDaemon.start(`${directory()}/limited`, {
      upload: { server: { ip: '127.0.0.1', port: 0, requestRateLimit: 5 } },
    });
    const client = new DfdaemonUpload(`127.0.0.1:${limited.ports.grpc}`, credentials.createInsecure());
    const codes = await Promise.all(
      Array.from(
        { length: 40 },
        () =>
          new Promise<status>((resolve) =>
            client.statLocalTask({ taskId: limited.taskId }, (error) => resolve(error?.code ?? status.OK)),
          ),
      ),
    );
    client.close();
    assert.ok(codes.filter((code) => code === status.OK).length >= 5);
    assert.ok(codes.filter((code) => code === status.RESOURCE_EXHAUSTED).length >= 25, codes.join(' '));
    await limited.end();
  });
});
