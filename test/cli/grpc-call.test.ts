import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants, createServer as createHttp2Server, type IncomingHttpHeaders } from 'node:http2';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { callDaemon } from '../../src/cli/daemon-call/grpc-call.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('a call of dfget', () => {
  const directory = useTemporaryDirectory();
  let server: Server;

  afterEach(() => server.close());

  async function listen(daemon: Server): Promise<Socket> {
    server = daemon.listen(join(directory(), 'socket'));
    await once(server, 'listening');
    return connect(join(directory(), 'socket'));
  }

  function call(connection: Socket, signal: AbortSignal): Promise<IncomingHttpHeaders> {
    return callDaemon({
      connection,
      daemon: 'the daemon',
      path: '/a.Service/Method',
      message: Buffer.alloc(0),
      metadata: {},
      timeoutMs: 60_000,
      signal,
      onMetadata: () => undefined,
      onMessage: () => undefined,
    });
  }

  for (const moment of ['before it connects', 'while it connects'])
    it(`can be stopped ${moment}`, async () => {
      const connection = await listen(createServer((socket) => socket.resume()));
      if (moment === 'while it connects') await once(connection, 'connect');
      const controller = new AbortController();
      const stopped = call(connection, controller.signal);
      controller.abort();
      await assert.rejects(stopped, { code: 'DFP_ABORTED' });
      // What comes of the connection after all has nobody to tell.
      if (!connection.closed) await once(connection, 'close');
      await new Promise((resolve) => setImmediate(resolve));
    });

  it('that a daemon refuses to begin with means that it is shutting down', async () => {
    const ending = createHttp2Server();
    ending.on('stream', (stream) => stream.on('error', () => undefined).close(constants.NGHTTP2_REFUSED_STREAM));
    const connection = await listen(ending);
    await assert.rejects(call(connection, new AbortController().signal), { code: 'DFP_SHUTTING_DOWN' });
  });
});
