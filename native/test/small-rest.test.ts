import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SendFileEngine } from '../engine.js';
import type { Transfer } from '../transfer.js';
import { openDescriptors, receive, requireNative, sha256, type SocketPair, useNative } from './support.js';

const MIB = 1024 * 1024;
const REST = 1000;

describe('a few bytes for which the socket had no room', () => {
  before(function () {
    requireNative(this);
  });
  const native = useNative();
  const sockets = new Set<Socket>();
  let directory: string;
  let listener: Server;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dfpeer-test-'));
    listener = createServer().listen(join(directory, 'socket'));
    await once(listener, 'listening');
  });
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  });
  after(() => {
    listener.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /**
   * Unix sockets: a TCP connection finds more room by itself as acknowledgements come in. Without `reads` the client takes one byte and no more: a
   * socket of Node's begins to read by itself.
   */
  async function pair(reads: boolean): Promise<SocketPair> {
    const path = join(directory, 'socket');
    const onread = { buffer: Buffer.alloc(1), callback: () => false };
    const client = connect(reads ? { path } : { path, onread });
    const [server] = (await once(listener, 'connection')) as [Socket];
    for (const socket of [client, server]) sockets.add(socket.on('error', () => undefined));
    return { server, client };
  }

  /** What a socket takes whose peer reads nothing. */
  async function capacity(from: { fd: number }): Promise<number> {
    const { server, client } = await pair(false);
    const transfer = native.engine({ inlineBytes: 64 * MIB }).start(server, from, { offset: 0, length: 8 * MIB });
    const { bytesSent } = transfer;
    client.destroy();
    await transfer.done;
    return bytesSent;
  }

  /** A transfer of which the main thread has sent all but REST bytes. */
  async function begin(
    reads: boolean,
  ): Promise<{ engine: SendFileEngine; transfer: Transfer; bytes: Buffer; length: number } & SocketPair> {
    const { fd, bytes } = native.file(8 * MIB);
    const length = (await capacity({ fd })) + REST;
    const engine = native.engine({ inlineBytes: 64 * MIB, smallRestDelayMs: 200 });
    const { server, client } = await pair(reads);
    const transfer = engine.start(server, { fd }, { offset: 0, length });
    assert.equal(transfer.bytesSent, length - REST);
    return { engine, transfer, server, client, bytes: bytes.subarray(0, length), length };
  }

  it('are sent a moment later, without a worker, once the reader has made room', async () => {
    const { engine, transfer, client, bytes, length } = await begin(true);
    const received = receive(client, length);
    assert.deepEqual(await transfer.done, { outcome: 'complete', bytesSent: length, headBytesSent: 0 });
    assert.equal(sha256(await received), sha256(bytes));
    assert.equal(engine.stats.workerTransfers, 0);
    assert.equal(engine.stats.inlineTransfers, 1);
    assert.equal(engine.activeTransfers, 0);
  });

  it('go to a worker while the reader reads nothing', async () => {
    const { engine, transfer, client, length } = await begin(false);
    while (engine.stats.workerTransfers === 0) await new Promise((resolve) => setTimeout(resolve, 10).unref());
    assert.equal(transfer.bytesSent, length - REST);
    client.destroy();
    assert.equal((await transfer.done).outcome, 'closed');
  });

  for (const [what, end] of [
    ['stopped', ({ transfer }: { transfer: Transfer }) => transfer.stop()],
    ['closed', ({ server }: SocketPair) => void server.destroy()],
  ] as const)
    it(`stay unsent when the transfer is ${what} in that moment, and leave nothing behind`, async () => {
      const begun = await begin(false);
      const descriptors = openDescriptors();
      end(begun);
      const { outcome, bytesSent } = await begun.transfer.done;
      assert.deepEqual({ outcome, bytesSent }, { outcome: what, bytesSent: begun.length - REST });
      assert.ok(openDescriptors() < descriptors);
      await begun.engine.close();
      assert.equal(begun.engine.stats.workerTransfers, 0);
    });
});
