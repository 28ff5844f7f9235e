import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { dfget } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

/** An HTTP proxy that notes what it was asked for, and by whom. */
async function startProxy(seen: string[]): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    seen.push(`${incoming.method ?? ''} ${incoming.url ?? ''} ${incoming.headers['proxy-authorization'] ?? ''}`.trim());
    const headers = { ...incoming.headers };
    delete headers['proxy-authorization'];
    incoming.pipe(
      request(incoming.url ?? '', { method: incoming.method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('dfget behind a proxy', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  const seen: string[] = [];
  let origin: Origin;
  let proxy: Server;

  beforeEach(async () => {
    seen.length = 0;
    origin = await Origin.start(100_000);
    proxy = await startProxy(seen);
  });

  afterEach(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await origin.close();
  });

  const output = (): string => join(directory(), 'output');

  /** The daemon that dfget starts has dfget's variables. */
  const run = (variables: NodeJS.ProcessEnv): ReturnType<typeof dfget> =>
    dfget([origin.url(), '-O', output()], { DFPEER_HOME: directory(), DFPEER_ALIVE_TIME: '1s', ...variables });

  const get = async (variables: NodeJS.ProcessEnv): Promise<void> => {
    const { code, stderr } = await run(variables);
    assert.equal(code, 0, stderr);
    assert.ok((await readFile(output())).equals(origin.content));
  };

  it('asks the origin through it, with its credentials, and without a tunnel for http', async () => {
    const { port } = proxy.address() as AddressInfo;
    await get({ http_proxy: `http://me:secret@127.0.0.1:${port}`, no_proxy: '' });
    const credentials = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    assert.ok(seen.length > 0);
    for (const each of seen) assert.equal(each, `GET ${origin.url()} ${credentials}`);
  });

  it('asks hosts of no_proxy directly', async () => {
    const { port } = proxy.address() as AddressInfo;
    await get({ http_proxy: `http://127.0.0.1:${port}`, no_proxy: 'example.com,127.0.0.0/8' });
    assert.deepEqual(seen, []);
  });

  it('fails by the name of the variable where its proxy can not be used, and asks nobody', async () => {
    for (const http_proxy of ['socks4://127.0.0.1:9', 'http://127.0.0.1:99999']) {
      const { code, stderr } = await run({ http_proxy, no_proxy: '' });
      assert.match(stderr, /http_proxy in the daemon's environment .*DFP_CONFIG/);
      assert.equal(code, 2);
    }
    assert.deepEqual(origin.requests, []);
  });
});
