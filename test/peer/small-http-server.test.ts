import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { silentLogger } from '../../src/core/logger.js';
import {
  MAX_SMALL_SERVER_CONNECTIONS_PER_IP,
  MAX_SMALL_SERVER_PIPELINED_REQUESTS,
  SmallHttpServer,
  type SmallHttpServerOptions,
} from '../../src/peer/small-http-server.js';

describe('a server for scrapers and probes', () => {
  const sockets: Socket[] = [];
  let server: SmallHttpServer;
  let asked = 0;

  async function start(options: Partial<SmallHttpServerOptions> = {}): Promise<void> {
    asked = 0;
    const onRequest: RequestListener = (_, response) => {
      asked++;
      // As answers do that are put together first.
      setImmediate(() => response.end('ok'));
    };
    server = await SmallHttpServer.start({ ip: '0.0.0.0', port: 0 }, onRequest, { logger: silentLogger, ...options });
  }

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server.close();
  });

  async function open(localAddress = '127.0.0.1'): Promise<Socket> {
    const socket = connect({ port: server.port, host: '127.0.0.1', localAddress });
    socket.on('error', () => undefined);
    sockets.push(socket.resume());
    await once(socket, 'connect');
    return socket;
  }

  async function ask(localAddress: string, agent?: Agent): Promise<string> {
    const request = get({ port: server.port, host: '127.0.0.1', localAddress, ...(agent && { agent }) });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return text(response);
  }

  it('answers a newcomer however many sit there and ask for nothing, of its own host and of others', async () => {
    await start();
    for (const ip of ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'])
      await Promise.all(Array.from({ length: MAX_SMALL_SERVER_CONNECTIONS_PER_IP + 8 }, () => open(ip)));
    for (const ip of ['127.0.0.1', '127.0.0.5', '127.0.0.6']) assert.equal(await ask(ip), 'ok', ip);
  });

  it('lets one host push out nobody but itself', async () => {
    await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await ask('127.0.0.2', agent);
    const first = await open();
    const gone = once(first, 'close');
    await Promise.all(Array.from({ length: 4 * MAX_SMALL_SERVER_CONNECTIONS_PER_IP }, () => open()));
    await gone;
    const [kept] = Object.values(agent.freeSockets).flat();
    assert.equal(await ask('127.0.0.2', agent), 'ok');
    assert.equal(kept?.destroyed, false);
    agent.destroy();
  });

  it('closes a connection whose head does not come, and one that sends nothing at all, when their time is over', async () => {
    await start({ headTimeoutMs: 300 });
    const [silent, half] = [await open(), await open()];
    half.write('GET /healthy HTTP/1.1\r\nHost: a');
    const startedMs = performance.now();
    await Promise.all([once(silent, 'close'), once(half, 'close')]);
    // Node looks every 30 seconds unless it is told otherwise.
    assert.ok(performance.now() - startedMs < 15_000);
  });

  it('answers few requests that come at once on one connection, again and again, and closes one that sends more', async () => {
    await start();
    const socket = await open();
    const request = 'GET /healthy HTTP/1.1\r\nHost: a\r\n\r\n';
    for (let round = 1; round <= 3; round++) {
      socket.write(request.repeat(MAX_SMALL_SERVER_PIPELINED_REQUESTS));
      let answers = '';
      while (answers.split('200 OK').length <= MAX_SMALL_SERVER_PIPELINED_REQUESTS)
        answers += String(await once(socket, 'data'));
    }
    asked = 0;
    socket.write(request.repeat(1000));
    await once(socket, 'close');
    assert.ok(asked <= MAX_SMALL_SERVER_PIPELINED_REQUESTS, `${asked} were answered`);
  });
});
