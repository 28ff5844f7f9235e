import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { MAX_HEAD_BYTES, SendFileEngine } from '../../native/index.js';
import { runPaced, runSendfile } from '../../src/upload/transfer/engine-route.js';
import type { Segment } from '../../src/upload/transfer/segment.js';
import { useSharedDirectory } from '../support/temporary-directory.js';
import { readToEnd } from './support/clients.js';

const MIB = 1024 * 1024;

describe('an upload by sendfile', () => {
  const directory = useSharedDirectory();
  const content = randomBytes(MIB);
  const engine = new SendFileEngine({ workers: 1 });
  const listener = createServer();
  let fd: number;

  before(async () => {
    const path = join(directory(), 'file');
    writeFileSync(path, content);
    fd = openSync(path, 'r');
    await once(listener.listen(0, '127.0.0.1'), 'listening');
  });
  after(async () => {
    listener.close();
    await engine.close();
    closeSync(fd);
  });

  for (const route of [runSendfile, runPaced])
    for (const [what, written, headBytes] of [
      ['what Node still has to write', randomBytes(16 * MIB), 100],
      ['a head that the engine takes no more', Buffer.alloc(0), MAX_HEAD_BYTES + 1],
    ] as const)
      it(`comes after ${what} (${route.name})`, async () => {
        const [server, client] = await pair();
        const head = randomBytes(headBytes);
        server.write(written);
        const sending = route(engine, segmentOf(server, head));
        const received = readToEnd(client);
        assert.deepEqual(await sending, { kind: 'complete' });
        server.end();
        assert.ok((await received).equals(Buffer.concat([written, head, content])));
      });

  async function pair(): Promise<[Socket, Socket]> {
    const connection = once(listener, 'connection') as Promise<[Socket]>;
    const socket = connect((listener.address() as AddressInfo).port, '127.0.0.1').pause();
    const [accepted] = await connection;
    return [accepted, socket];
  }

  function segmentOf(socket: Socket, head: Uint8Array): Segment {
    const segment = {
      ...{ socket, file: { fd }, offset: 0, left: content.length, head, budget: undefined, interrupted: false },
      ...{ signal: new AbortController().signal, waitingForBudget: false, onInterrupt: undefined, inFlight: undefined },
      moved: (bytes: number): void => {
        segment.offset += bytes;
        segment.left -= bytes;
      },
      movedHead: (bytes: number): void => void (segment.head = segment.head.subarray(bytes)),
    };
    return segment;
  }
});
