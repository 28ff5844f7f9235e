import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BufferPool, MAX_COPY_BUFFER_BYTES } from '../../src/upload/transfer/buffer-pool.js';
import { CopyRoute } from '../../src/upload/transfer/copy-route.js';
import type { Segment } from '../../src/upload/transfer/segment.js';

const MIB = 1024 * 1024;
const FILE_BYTES = 8 * MIB;

class RecordingPool extends BufferPool {
  wanted: number[] = [];

  override acquire(bytes: number): Buffer {
    this.wanted.push(bytes);
    return super.acquire(bytes);
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
