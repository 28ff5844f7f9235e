import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { callDaemon } from '../../src/cli/daemon-call/grpc-call.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('a call of dfget', () => {
  const directory = useTemporaryDirectory();
  let silent: Server;

  beforeEach(async () => {
    silent = createServer((socket) => socket.resume()).listen(join(directory(), 'socket'));
    await once(silent, 'listening');
  });
  afterEach(() => silent.close());

  for (const moment of ['before it connects', 'while it connects'])
    it(`can be stopped ${moment}`, async () => {
      const connection = connect(join(directory(), 'socket'));
      if (moment === 'while it connects') await once(connection, 'connect');
      const controller = new AbortController();
      const call = callDaemon({
        connection,
        daemon: 'the daemon',
        path: '/a.Service/Method',
        message: Buffer.alloc(0),
        metadata: {},
        timeoutMs: 60_000,
        signal: controller.signal,
        onMetadata: () => undefined,
        onMessage: () => undefined,
      });
      controller.abort();
      await assert.rejects(call, { code: 'DFP_ABORTED' });
      // What comes of the connection after all has nobody to tell.
      if (!connection.closed) await once(connection, 'close');
      await new Promise((resolve) => setImmediate(resolve));
    });
});
