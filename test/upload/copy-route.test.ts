import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ByteBudget } from '../../src/core/byte-budget.js';
import { DfpeerError } from '../../src/core/errors.js';
import { BufferPool, MAX_COPY_BUFFER_BYTES } from '../../src/upload/transfer/buffer-pool.js';
import { CopyRoute } from '../../src/upload/transfer/copy-route.js';
import type { Segment, SegmentEnd } from '../../src/upload/transfer/segment.js';
import { writeAll } from '../../src/upload/transfer/socket.js';
import { useSharedDirectory } from '../support/temporary-directory.js';

const MIB = 1024 * 1024;
const FILE_BYTES = 8 * MIB;

class RecordingPool extends BufferPool {
  wanted: number[] = [];
  inUse = 0;

  override acquire(bytes: number): Buffer {
    this.wanted.push(bytes);
    this.inUse++;
    return super.acquire(bytes);
  }

  override release(buffer: Buffer): void {
    this.inUse--;
    super.release(buffer);
  }
}

describe('the copy route', () => {
  it('goes on with a fast connection where its last range ended, and begins a new one with small chunks', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'copy-route-'));
    writeFileSync(join(directory, 'file'), Buffer.alloc(FILE_BYTES, 7));
    const fd = openSync(join(directory, 'file'), 'r');
    const server = createServer().listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const pool = new RecordingPool();
      // Time stands still: every chunk is a fast one.
      const route = new CopyRoute(pool, { now: () => 0, monotonicMs: () => 0, after: () => () => undefined });
      const firstChunkOf = async (socket: Socket): Promise<number> => {
        pool.wanted = [];
        assert.deepEqual(await route.run(wholeFile(socket, fd)), { kind: 'complete' });
        return pool.wanted[0] ?? 0;
      };
      const [one, other] = [await accepted(server), await accepted(server)];
      const first = await firstChunkOf(one);
      assert.ok(first < MAX_COPY_BUFFER_BYTES);
      assert.equal(await firstChunkOf(one), MAX_COPY_BUFFER_BYTES);
      assert.equal(await firstChunkOf(other), first);
    } finally {
      server.close();
      closeSync(fd);
      rmSync(directory, { recursive: true });
    }
  });
});

describe('what a socket is given', () => {
  it('was not taken when it was still to be sent as the socket was destroyed', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const connection = once(server, 'connection') as Promise<[Socket]>;
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
    const [socket] = await connection;
    const writing = writeAll(socket, Buffer.alloc(64 * MIB));
    assert.ok(socket.writableLength > 0, 'more than the kernel takes');
    socket.destroy();
    assert.equal(await writing, false);
    client.destroy();
    server.close();
  });
});

describe('a copy to a client', () => {
  const directory = useSharedDirectory();
  const content = randomBytes(FILE_BYTES);
  let fd: number;
  let pool: RecordingPool;
  let client: TestClient;

  before(() => {
    writeFileSync(join(directory(), 'file'), content);
    fd = openSync(join(directory(), 'file'), 'r');
  });
  after(() => closeSync(fd));
  beforeEach(() => {
    pool = new RecordingPool();
    client = new TestClient();
  });

  /** The whole file, or as much of it as goes. */
  async function copy(changes: Partial<Segment> = {}): Promise<{ end: SegmentEnd; segment: Segment }> {
    const clock = { now: () => 0, monotonicMs: () => client.nowMs, after: () => () => undefined };
    const segment = wholeFile(client as unknown as Socket, fd);
    Object.defineProperties(segment, Object.getOwnPropertyDescriptors(changes));
    const end = await new CopyRoute(pool, clock).run(segment);
    assert.equal(pool.inUse, 0, 'all memory is given back');
    assert.ok(client.received.equals(content.subarray(0, client.received.length)), 'what came is of the content');
    assert.equal(segment.left, FILE_BYTES - client.received.length, 'what came is what was counted');
    return { end, segment };
  }

  it('goes in chunks of 64 KiB, larger while they take less than 20 ms, smaller to 16 KiB after more than 200', async () => {
    client.tookMs = [20, 200, 19, 19, 201, 201, 201, 201, 201, 20];
    client.onWrite = (count) => (client.closes ||= count === 11);
    await copy();
    assert.deepEqual(
      pool.wanted.map((bytes) => bytes / 1024),
      [64, 64, 64, 128, 256, 128, 64, 32, 16, 16, 16],
    );
  });

  it('keeps its chunks where it is the limit that takes the time', async () => {
    client.tookMs = [201, 201, 201];
    client.onWrite = (count) => (client.closes ||= count === 4);
    await copy({ budget: new TestBudget(FILE_BYTES) });
    assert.deepEqual(new Set(pool.wanted), new Set([64 * 1024]));
  });

  it('holds one chunk in memory, and the next one beside it where the client takes the largest fast', async () => {
    const held: number[] = [];
    client.onWrite = () => held.push(pool.inUse);
    assert.deepEqual((await copy()).end, { kind: 'complete' });
    // 64, 128, 256 and 512 KiB, 7 times 1 MiB, and what is left.
    assert.deepEqual(held, [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 1]);
    assert.equal(pool.wanted.at(-1), FILE_BYTES - (64 + 128 + 256 + 512 + 7 * 1024) * 1024);
  });

  it('has the head before the first byte, and all bytes after it by leases of any size', async () => {
    const heads: number[] = [];
    const head = Buffer.from('head');
    const budget = new TestBudget(300_001);
    const { end } = await copy({
      budget,
      get head() {
        return heads.length === 0 ? head : new Uint8Array(0);
      },
      movedHead: (bytes) => void heads.push(bytes),
    });
    assert.deepEqual(end, { kind: 'complete' });
    assert.deepEqual(client.heads, [{ text: 'head', before: 0 }]);
    assert.deepEqual(heads, [4]);
    assert.ok(client.received.equals(content));
    assert.equal(budget.spent, FILE_BYTES);
    assert.ok(budget.wanted.every((bytes) => bytes <= MAX_COPY_BUFFER_BYTES));
  });

  it('has a range of one byte', async () => {
    let left = 1;
    const moved = (bytes: number): void => void (left -= bytes);
    const segment = { ...wholeFile(client as unknown as Socket, fd), moved, offset: 1 };
    const oneByte = Object.defineProperty(segment, 'left', { get: () => left });
    assert.deepEqual(await new CopyRoute(pool).run(oneByte), { kind: 'complete' });
    assert.deepEqual(client.received, content.subarray(1, 2));
  });

  it('is charged for what it took before it left, and for no more', async () => {
    const budget = new TestBudget(300_001);
    client.onWrite = (count) => (client.closes ||= count === 20);
    const { end } = await copy({ budget });
    assert.deepEqual(end, { kind: 'closed' });
    assert.equal(budget.spent, client.received.length);
  });

  it('stops between two leases when it is to go on by another route, and gives the lease back', async () => {
    const budget = new TestBudget(300_001);
    let interrupted = false;
    budget.onTake = (count) => (interrupted = count === 20);
    const { end } = await copy({
      budget,
      get interrupted() {
        return interrupted;
      },
    });
    assert.deepEqual(end, { kind: 'interrupted' });
    assert.equal(client.writes, 19);
    assert.equal(budget.spent, client.received.length);
  });

  it('stops without asking for a lease when it is to go on by another route', async () => {
    const budget = new TestBudget(FILE_BYTES);
    const { end } = await copy({ budget, interrupted: true });
    assert.deepEqual([end, budget.wanted, client.writes], [{ kind: 'interrupted' }, [], 0]);
  });

  it('ends with an error where the file does', async () => {
    const short = join(directory(), 'short');
    writeFileSync(short, content.subarray(0, 5 * MIB));
    const shortFd = openSync(short, 'r');
    const { end } = await copy({ file: { fd: shortFd } });
    closeSync(shortFd);
    assert.ok(end.kind === 'file-error');
    assert.match(end.error.message, /the file ends at byte 5242880/);
    assert.equal(client.received.length, 5 * MIB);
  });

  it('ends with an error where the file can not be read', async () => {
    const directoryFd = openSync(directory(), 'r');
    const { end } = await copy({ file: { fd: directoryFd } });
    closeSync(directoryFd);
    assert.ok(end.kind === 'file-error');
    assert.match(end.error.message, /EISDIR/);
    assert.ok(end.error instanceof DfpeerError);
    assert.equal(end.error.code, 'DFP_STORE_IO');
  });
});

/** A socket's writing half: takes each chunk in as long as it is told, or closes. */
class TestClient {
  nowMs = 0;
  tookMs: number[] = [];
  closes = false;
  readonly destroyed = false;
  writes = 0;
  received = Buffer.alloc(0);
  readonly heads: { text: string; before: number }[] = [];
  onWrite: (count: number) => void = () => undefined;

  cork(): void {
    assert.equal(this.writes, 0);
  }

  uncork(): void {
    assert.equal(this.writes, 1, 'the head goes out in one go with the first bytes');
  }

  write(bytes: Uint8Array, done?: (error?: Error) => void): void {
    if (done === undefined) return void this.heads.push({ text: Buffer.from(bytes).toString(), before: this.writes });
    this.onWrite(++this.writes);
    // Later, as a kernel does: who does not wait for it would count what has not gone out.
    setImmediate(() => {
      this.nowMs += this.tookMs.shift() ?? 0;
      if (this.closes) return done(new Error('closed'));
      this.received = Buffer.concat([this.received, bytes]);
      done();
    });
  }
}

/** Grants leases of one size. */
class TestBudget implements ByteBudget {
  readonly wanted: number[] = [];
  spent = 0;
  onTake: (count: number) => void = () => undefined;

  constructor(readonly leaseBytes: number) {}

  async take(wanted: number): Promise<number> {
    this.wanted.push(wanted);
    this.onTake(this.wanted.length);
    const lease = Math.min(wanted, this.leaseBytes);
    this.spent += lease;
    return lease;
  }

  giveBack(unspent: number): void {
    this.spent -= unspent;
  }
}

/** The server's side of a connection whose client throws everything away; neither keeps the process alive. */
async function accepted(server: ReturnType<typeof createServer>): Promise<Socket> {
  const connection = once(server, 'connection') as Promise<[Socket]>;
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').resume();
  const [socket] = await connection;
  client.unref();
  socket.unref();
  return socket;
}

function wholeFile(socket: Socket, fd: number): Segment {
  const segment = {
    ...{ socket, file: { fd }, offset: 0, left: FILE_BYTES, head: new Uint8Array(0), budget: undefined },
    ...{ interrupted: false, signal: new AbortController().signal, waitingForBudget: false },
    ...{ onInterrupt: undefined, inFlight: undefined, movedHead: () => undefined },
    moved: (bytes: number): void => {
      segment.offset += bytes;
      segment.left -= bytes;
    },
  };
  return segment;
}
