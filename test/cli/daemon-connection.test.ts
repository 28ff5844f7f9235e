import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { connectTo, FoundDaemon, tryDaemon } from '../../src/cli/daemon-connection.js';
import { closeServer } from '../../src/core/listen.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const LISTEN_AND_HANG = `
require('node:net').createServer().listen(process.argv[1], () => {
  require('node:fs').writeSync(1, 'listening');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;

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

  it('that is broken instead of closed has ended, for whoever waits for that', async () => {
    const hanging = join(directory(), 'hanging.sock');
    const child = spawn(process.execPath, ['-e', LISTEN_AND_HANG, hanging], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      const gone = new FoundDaemon(hanging).untilGone(new AbortController().signal);
      // The kernel makes the connection, and breaks it: nobody has accepted it.
      await setImmediate();
      child.kill('SIGKILL');
      await gone;
    } finally {
      child.kill('SIGKILL');
    }
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
