import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { connectTo, FoundDaemon, tryDaemon } from '../../src/cli/daemon-connection.js';
import { closeServer } from '../../src/core/listen.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('the connection to the daemon', () => {
  const directory = useTemporaryDirectory();
  let path: string;
  let server: Server;

  beforeEach(async () => {
    path = join(directory(), 'dfdaemon.sock');
    server = createServer({ pauseOnConnect: true }).listen(path);
    await once(server, 'listening');
  });

  afterEach(() => closeServer(server));

  /** What was not read when it ends is an error at the other end. */
  async function breakOff(socket: Socket, accepted: Socket): Promise<void> {
    await new Promise<void>((resolve) => socket.write('unread', () => resolve()));
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    accepted.destroy();
    await closed;
  }

  it('that breaks before it is used ends nothing else, and is made anew', async () => {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const first = (await connectTo(path)) ?? assert.fail();
    await breakOff(first, (await accepted)[0]);
    assert.notEqual(first.errored, null);
    const again = once(server, 'connection') as Promise<[Socket]>;
    const socket = await new FoundDaemon(path, { first }).connect();
    assert.equal(socket.destroyed, false);
    (await again)[0].destroy();
    socket.destroy();
  });

  it('that is there is used first', async () => {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const daemon = (await tryDaemon(path)) ?? assert.fail();
    const [first] = await accepted;
    const received = once(first.resume(), 'data');
    (await daemon.connect()).end('x');
    assert.equal(String((await received)[0]), 'x');
  });
});
