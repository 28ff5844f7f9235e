import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { LookupFunction, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeSupport } from '../../../native/index.js';
import {
  ConnectionPool,
  IDLE_CONNECTION_MS,
  MAX_IDLE_CONNECTIONS,
  MAX_IDLE_PER_ENDPOINT,
} from '../../../src/peer/fetch/connection/connection-pool.js';
import type { PieceConnection } from '../../../src/peer/fetch/connection/piece-connection.js';
import type { ParentEndpoint } from '../../../src/peer/fetch/piece-fetcher.js';
import { Transfer } from '../../../src/peer/fetch/transfer.js';
import { ManualClock } from '../../support/manual-clock.js';
import { coded, Servers } from './support/fixtures.js';

const port = { requestLease: () => undefined, reportProgress: () => undefined, deliverPiece: () => undefined };

describe('the pool of connections to parents', () => {
  const servers = new Servers();
  let clock: ManualClock;
  let pool: ConnectionPool;
  let accepted: Socket[];
  let endpoint: ParentEndpoint;
  let transfer: Transfer;

  beforeEach(async () => {
    accepted = [];
    clock = new ManualClock();
    pool = new ConnectionPool({ clock });
    const listening = await servers.tcp((socket) => accepted.push(socket.resume()));
    endpoint = { protocol: 'http', host: '127.0.0.1', port: listening };
    transfer = new Transfer({ waitingFor: 'parent', timeoutMs: 10_000, metered: false, reportsProgress: false, port });
  });
  afterEach(() => {
    transfer.close();
    pool.close();
    servers.close();
  });

  async function connectMany(count: number): Promise<PieceConnection[]> {
    return Promise.all(Array.from({ length: count }, () => pool.connect(endpoint, transfer)));
  }

  it('keeps so many for a parent and closes the others', async () => {
    const connections = await connectMany(MAX_IDLE_PER_ENDPOINT + 2);
    for (const connection of connections) pool.giveBack(connection);
    assert.equal(pool.idleCount, MAX_IDLE_PER_ENDPOINT);
    assert.equal(connections.filter(({ usable }) => usable).length, MAX_IDLE_PER_ENDPOINT);
    pool.close();
    assert.equal(pool.idleCount, 0);
    assert.ok(connections.every(({ usable }) => !usable));
  });

  it('keeps so many for all parents together', async () => {
    const lookup: LookupFunction = (_, __, found) => found(null, [{ address: '127.0.0.1', family: 4 }]);
    const named = new ConnectionPool({ clock, lookup });
    for (let parent = 0; parent <= MAX_IDLE_CONNECTIONS; parent++)
      named.giveBack(await named.connect({ ...endpoint, host: `parent-${parent}.invalid` }, transfer));
    assert.equal(named.idleCount, MAX_IDLE_CONNECTIONS);
    named.close();
  });

  it('gives out the one used last, and never one that was opened under other conditions', async () => {
    const [first, second] = await connectMany(2);
    assert.ok(first !== undefined && second !== undefined);
    pool.giveBack(first);
    pool.giveBack(second);
    assert.equal(pool.takeIdle({ ...endpoint, host: '127.0.0.2' }, false), undefined);
    assert.equal(pool.takeIdle(endpoint, true), undefined);
    assert.equal(pool.takeIdle(endpoint, false), second);
    assert.equal(pool.takeIdle(endpoint, false), first);
    assert.equal(pool.takeIdle(endpoint, false), undefined);
    assert.equal(pool.idleCount, 0);
    first.destroy();
    second.destroy();
  });

  it('closes one that was not used for a while', async () => {
    const [connection] = await connectMany(1);
    assert.ok(connection !== undefined);
    pool.giveBack(connection);
    clock.advance(IDLE_CONNECTION_MS - 1);
    assert.equal(connection.usable, true);
    clock.advance(1);
    assert.equal(pool.idleCount, 0);
    assert.equal(connection.usable, false);
  });

  it('leaves one alone that is used again', async () => {
    const [connection] = await connectMany(1);
    assert.ok(connection !== undefined);
    pool.giveBack(connection);
    pool.takeIdle(endpoint, false);
    clock.advance(IDLE_CONNECTION_MS);
    assert.equal(connection.usable, true);
    assert.equal(pool.idleCount, 0);
    connection.destroy();
  });

  it('does not give out one that the parent closed, or that it sent bytes on unasked', async () => {
    for (const disturb of [
      (socket: Socket) => socket.end(),
      (socket: Socket) => socket.write('HTTP/1.1 408 too slow'),
    ]) {
      const [connection] = await connectMany(1);
      const server = accepted.at(-1);
      assert.ok(connection !== undefined && server !== undefined);
      pool.giveBack(connection);
      const closed = once(server, 'close');
      server.on('end', () => server.end());
      disturb(server);
      await closed;
      assert.equal(pool.takeIdle(endpoint, false), undefined);
    }
  });

  it('ends no connection for the time that connecting might have taken', async () => {
    const connectTimeoutMs = 500;
    const patient = new ConnectionPool({ clock, connectTimeoutMs });
    const connection = await patient.connect(endpoint, transfer);
    // Begun later, so it is over later than the connection's own time.
    await sleep(connectTimeoutMs);
    assert.ok(connection.usable);
    connection.destroy();
  });

  it('reads at once what is expected at once', async function () {
    if (!nativeSupport().available) return this.skip();
    const [connection] = await connectMany(1);
    const [server] = accepted;
    assert.ok(connection !== undefined && server !== undefined);
    const reads: number[] = [];
    const ended = new Promise<void>((resolve) => {
      const onBytes = ({ length }: Uint8Array): boolean => reads.push(length) > 0;
      connection.consumer = { onBytes, onEnd: resolve, onError: assert.ifError };
    });
    connection.expect(64 * 1024, 64 * 1024);
    clock.advance(1);
    connection.expect(64 * 1024, 10);
    for (let turn = 0; turn < 10; turn++)
      await new Promise<void>((resolve) => server.write('x', () => setImmediate(resolve)));
    server.end();
    await ended;
    assert.deepEqual(reads, [10]);
    connection.destroy();
  });

  it('gives up connecting after its time, and when aborted', async () => {
    const impatient = new ConnectionPool({ connectTimeoutMs: 0 });
    const late = impatient.connect(endpoint, transfer);
    // Both the timer and the connection are ready when the loop goes on, and timers come first.
    const busyUntilMs = performance.now() + 20;
    while (performance.now() < busyUntilMs);
    await assert.rejects(late, coded('DFP_PARENT_UNREACHABLE', /within 0 ms/));
    const connecting = pool.connect(endpoint, transfer);
    transfer.abort(new Error('enough'));
    await assert.rejects(connecting, /enough/);
    await assert.rejects(pool.connect(endpoint, transfer), /enough/);
  });
});
