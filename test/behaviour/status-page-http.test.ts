import assert from 'node:assert/strict';
import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import { join } from 'node:path';
import { MAX_EVENT_STREAMS } from '../../src/peer/status-page/event-streams.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { useSharedDirectory } from '../support/temporary-directory.js';

describe("the status page's server", function () {
  this.timeout(60_000);
  const directory = useSharedDirectory();
  let daemon: DaemonProcess | undefined;

  before(async () => {
    daemon = await DaemonProcess.start(join(directory(), 'a'));
  });

  after(() => daemon?.end());

  /** Resolves with the head of the answer; its body is left to the caller. */
  async function ask(path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
    const port = daemon?.ports.statusPage;
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path, agent: false, ...options }, resolve)
        .once('error', reject)
        .end();
    });
  }

  async function read(answer: IncomingMessage): Promise<string> {
    let text = '';
    for await (const chunk of answer.setEncoding('utf8')) text += String(chunk);
    return text;
  }

  it('listens on loopback, and the metrics port has nothing of it', async () => {
    const { status } = await fetch(`http://127.0.0.1:${daemon?.ports.metrics ?? 0}/api/status`);
    assert.equal(status, 404);
    const snapshot = JSON.parse(await read(await ask('/api/status'))) as { daemon: { pid: number } };
    assert.equal(snapshot.daemon.pid, daemon?.pid);
  });

  it('only shows: everything but GET and HEAD is refused', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
      assert.equal((await ask('/api/status', { method })).statusCode, 405, method);
    const head = await ask('/', { method: 'HEAD' });
    assert.deepEqual([head.statusCode, await read(head)], [200, '']);
  });

  it('answers to no name that somebody else could have resolve to this machine', async () => {
    for (const host of ['evil.example', 'evil.example:4008', 'localhost.evil.example', '127.0.0.1.evil.example'])
      for (const path of ['/', '/api/status', '/api/events'])
        assert.equal((await ask(path, { headers: { host } })).statusCode, 421, `${host} ${path}`);
    for (const host of ['localhost:4008', '127.0.0.1', '[::1]:4008'])
      assert.equal((await ask('/', { headers: { host } })).statusCode, 200, host);
  });

  it('tells the pages of other sites nothing', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' };
    assert.equal((await ask('/api/status', { headers })).statusCode, 403);
    const { headers: given } = await ask('/api/status');
    assert.equal(given['access-control-allow-origin'], undefined);
    assert.equal(given['cross-origin-resource-policy'], 'same-origin');
    assert.match(String(given['content-security-policy']), /default-src 'none'.*frame-ancestors 'none'/);
  });

  it('serves its own files and no others', async () => {
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/main.js/../../package.json', '/index.html'])
      assert.equal((await ask(path)).statusCode, 404, path);
    for (const path of ['/', '/style.css', '/icon.svg', '/main.js', '/tables.js'])
      assert.equal((await ask(path)).statusCode, 200, path);
  });

  it('bounds the pages that follow it', async () => {
    const streams = await Promise.all(Array.from({ length: MAX_EVENT_STREAMS }, () => ask('/api/events')));
    for (const { statusCode } of streams) assert.equal(statusCode, 200);
    const refused = await ask('/api/events');
    assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [503, '10']);
    for (const stream of streams) stream.destroy();
  });
});
