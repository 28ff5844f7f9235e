import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import {
  maxPacingRate,
  peerCredentials,
  sendFile,
  setMaxPacingRate,
  setReceiveLowWater,
  setUnsentLimit,
} from '../index.js';
import { receive, requireNative, useNative, whenStalled } from './support.js';

describe('sockets', () => {
  before(function () {
    requireNative(this);
  });
  const native = useNative();

  it('a unix socket knows who connected', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'native-test-'));
    const server = createServer().listen(join(directory, 'socket'));
    await once(server, 'listening');
    const client = connect(join(directory, 'socket'));
    const [accepted] = (await once(server, 'connection')) as [Socket];
    assert.deepEqual(peerCredentials(accepted), {
      pid: process.pid,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
    });
    client.destroy();
    accepted.destroy();
    assert.throws(() => peerCredentials(accepted), { code: 'ERR_SOCKET_UNSUPPORTED' });
    server.close();
    rmSync(directory, { recursive: true });
  });

  it('a TCP socket does not', async () => {
    const { server } = await native.pair();
    assert.throws(() => peerCredentials(server), { code: 'ERR_SOCKET_UNSUPPORTED' });
  });

  it('takes a pacing rate, also beyond 32 bits, and gives it back', async () => {
    const { server } = await native.pair();
    assert.equal(maxPacingRate(server), 'unlimited');
    for (const rate of [1024, 20 * 1024 * 1024, 2 ** 35]) {
      setMaxPacingRate(server, rate);
      assert.equal(maxPacingRate(server), rate);
    }
    setMaxPacingRate(server, 'unlimited');
    assert.equal(maxPacingRate(server), 'unlimited');
    for (const rate of [0, -1, 0.5, Number.NaN]) assert.throws(() => setMaxPacingRate(server, rate), RangeError);
  });

  it('holds less for a client that does not read once it may hold less unsent', async () => {
    const file = native.file(8 * 1024 * 1024);
    const taken = async (limit: number | undefined): Promise<number> => {
      const { server, client } = await native.pair();
      if (limit !== undefined) setUnsentLimit(server, limit);
      const transfer = native.engine().start(server, file, { offset: 0, length: file.bytes.length });
      await whenStalled(transfer);
      const held = transfer.bytesSent;
      client.destroy();
      await transfer.done;
      return held;
    };
    const unlimited = await taken(undefined);
    const limited = await taken(64 * 1024);
    assert.ok(limited < unlimited - 512 * 1024, `${limited} of ${unlimited}`);
    const { server } = await native.pair();
    for (const bytes of [0, -1, 0.5, 2 ** 32]) assert.throws(() => setUnsentLimit(server, bytes), RangeError);
  });

  it('wakes its reader once for many writes, and at the end for what there is', async () => {
    const { server, client } = await native.pair();
    const reads: number[] = [];
    client.on('data', (chunk: Buffer) => reads.push(chunk.length));
    const write = (text: string): Promise<void> =>
      new Promise((resolve) => server.write(text, () => setImmediate(resolve)));
    setReceiveLowWater(client, 10);
    const ten = once(client, 'data');
    for (let turn = 0; turn < 10; turn++) await write('x');
    await ten;
    for (let turn = 0; turn < 5; turn++) await write('x');
    const five = once(client, 'data');
    setReceiveLowWater(client, 5);
    await five;
    await write('xx');
    server.end();
    await once(client, 'end');
    assert.deepEqual(reads, [10, 5, 2]);
    for (const bytes of [0, -1, 0.5, 2 ** 31]) assert.throws(() => setReceiveLowWater(client, bytes), RangeError);
  });

  it('a TLS socket is left to others', async () => {
    const { server, client } = await native.pair();
    const encrypted = new TLSSocket(server, { isServer: true });
    encrypted.on('error', () => undefined);
    const result = await sendFile(encrypted, native.file(10), { offset: 0, length: 10 });
    assert.deepEqual([result.outcome, result.error?.code], ['unsupported', 'ERR_SOCKET_UNSUPPORTED']);
    client.destroy();
  });

  it('sendFile() sends through the engine of the process', async () => {
    const { server, client } = await native.pair();
    const file = native.file(1_000_000);
    const head = Buffer.from('here it comes: ');
    const received = receive(client, head.length + 1_000_000);
    const result = await sendFile(server, file, { offset: 0, length: 1_000_000, head });
    assert.equal(result.outcome, 'complete');
    assert.deepEqual(await received, Buffer.concat([head, file.bytes]));
  });
});
