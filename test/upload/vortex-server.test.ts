import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type Socket, connect } from 'node:net';
import { encodeRequest } from '../../src/vortex/codec.js';
import { MAX_BYTES_AFTER_REQUEST } from '../../src/upload/vortex/request-reader.js';
import { parseVortex, readToEnd } from './support/clients.js';
import { type RunningService, firstLive, startService } from './support/service.js';
import { ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

describe('the vortex piece server', () => {
  let running: RunningService;

  before(async () => {
    running = await startService();
  });
  after(() => running.stop());

  const open = (of = running): Socket => connect({ port: of.vortexPort, host: '127.0.0.1', allowHalfOpen: true });

  it('keeps sending to a client that half-closed before the body, and closes first', async () => {
    const task = running.source.add({ content: randomBytes(16 * MIB), pieceLength: 16 * MIB });
    const socket = open();
    socket.end(encodeRequest(task.taskId, 0));
    const { packet, rest } = parseVortex(await readToEnd(socket));
    assert.equal(packet?.kind, 'content');
    assert.ok(rest.equals(task.content));
    const patient = open();
    patient.write(encodeRequest(task.taskId, 0));
    await new Promise((resolve) => patient.resume().once('end', resolve));
    assert.equal(patient.writable, true, "the client's half is still open");
    patient.destroy();
  });

  it('tells all of a piece as the original does', async () => {
    const task = running.source.add({ content: randomBytes(1000), pieceLength: 600 });
    const socket = open();
    socket.write(encodeRequest(task.taskId, 1));
    const { packet } = parseVortex(await readToEnd(socket));
    assert.ok(packet?.kind === 'content');
    const record = task.pin();
    assert.deepEqual(packet.metadata, {
      ...{ number: 1, offset: 600, length: 400, digest: record.piece(1)?.digest, parentId: 'a-parent' },
      ...{ trafficType: 1, costSeconds: 2, createdAtSeconds: 1_700_000_000 },
    });
    record.release();
  });

  it('waits for the last piece of a content whose length nobody knows yet', async () => {
    const task = running.source.add({
      ...{ content: randomBytes(1000), pieceLength: 600, stored: [0] },
      ...{ downloading: true, lengthKnown: false },
    });
    const socket = open();
    socket.write(encodeRequest(task.taskId, 1));
    await until('the request to wait', async () => (await running.metric('dfpeer_upload_waiting_for_piece')) === 1);
    task.lengthKnown = true;
    task.store(1);
    const { rest } = parseVortex(await readToEnd(socket));
    assert.deepEqual(rest, task.content.subarray(600));
  });

  it('answers one request a connection and drops what follows', async () => {
    const task = running.source.add({ content: randomBytes(1000), pieceLength: 500 });
    const socket = open();
    socket.write(Buffer.concat([encodeRequest(task.taskId, 0), encodeRequest(task.taskId, 1)]));
    const { rest } = parseVortex(await readToEnd(socket));
    assert.deepEqual(rest, task.content.subarray(0, 500));
  });

  it('says "not found" for pieces beyond the task and for persistent tasks', async () => {
    const task = running.source.add({ content: randomBytes(1000) });
    for (const [number, tag] of [
      [99999, 0],
      [0, 2],
      [0, 4],
    ] as const) {
      const socket = open();
      socket.write(encodeRequest(task.taskId, number, 1, tag));
      const { packet } = parseVortex(await readToEnd(socket));
      assert.ok(packet?.kind === 'error');
      assert.deepEqual([packet.code, packet.message], [2, `piece ${task.taskId}-${number} not found`]);
    }
  });

  it('never answers what is no request', async () => {
    const task = running.source.add({ content: randomBytes(10) });
    const shortRequest = encodeRequest(task.taskId, 0).subarray(0, 50);
    shortRequest.writeUInt32BE(44, 2);
    for (const bytes of [
      shortRequest,
      Buffer.from('00fe00000000', 'hex'),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(7, 9),
    ]) {
      const socket = open();
      socket.write(bytes);
      assert.equal((await readToEnd(socket)).length, 0);
    }
    assert.equal(await running.metric('dfpeer_upload_refused_total', { protocol: 'vortex', cause: 'bad-request' }), 4);
  });

  for (const [what, leave] of [
    ['closes its half', (socket: Socket) => socket.end()],
    ['resets the connection', (socket: Socket) => socket.resetAndDestroy()],
  ] as const)
    it(`forgets at once, and refuses nothing to, a client that ${what} before its request`, async () => {
      const clock = new ManualClock();
      const patient = await startService({ clock });
      const socket = open(patient);
      socket.on('error', () => undefined);
      const connections = (): Promise<number> => patient.metric('dfpeer_upload_connections');
      await until('the connection', async () => (await connections()) === 1);
      leave(socket);
      await until('the connection to be forgotten', async () => (await connections()) === 0);
      assert.deepEqual([clock.pendingTimers, await patient.metric('dfpeer_upload_refused_total')], [0, 0]);
      await patient.stop();
    });

  it('cuts off a client that goes on sending after its request', async () => {
    const task = running.source.add({ content: randomBytes(48 * MIB), pieceLength: 48 * MIB });
    const socket = open().pause();
    socket.on('error', () => undefined);
    socket.write(encodeRequest(task.taskId, 0));
    await firstLive(running);
    socket.write(Buffer.alloc(MAX_BYTES_AFTER_REQUEST + 1));
    await running.settled();
    assert.equal(await running.metric('dfpeer_upload_transfers_total', { result: 'client-closed' }), 1);
    socket.destroy();
  });

  it('closes connections that send no whole request in time', async () => {
    const impatient = await startService({ bounds: { vortexRequestTimeoutMs: 200 } });
    const task = impatient.source.add({ content: randomBytes(10) });
    for (const bytes of [Buffer.alloc(0), encodeRequest(task.taskId, 0).subarray(0, 73)]) {
      const socket = open(impatient);
      socket.write(bytes);
      assert.equal((await readToEnd(socket)).length, 0);
    }
    assert.equal(await impatient.metric('dfpeer_upload_refused_total', { protocol: 'vortex', cause: 'timed-out' }), 2);
    await impatient.stop();
  });

  it('lets go of a client that never closes its half', async () => {
    const impatient = await startService({ bounds: { vortexLingerTimeoutMs: 200 } });
    const task = impatient.source.add({ content: randomBytes(10) });
    const socket = open(impatient);
    socket.write(encodeRequest(task.taskId, 0));
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.resume().once('end', resolve));
    const poke = setInterval(() => socket.write('x'), 20);
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(poke);
    await impatient.stop();
  });
});
