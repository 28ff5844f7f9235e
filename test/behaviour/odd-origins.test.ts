import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRangeHeader } from '../../src/core/byte-range.js';
import { Servers } from '../peer/fetch/support/fixtures.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';

const CONTENT = randomBytes(9 * 1024 * 1024 + 5);

/** From which curl has the file. */
const ORIGINS: Record<string, RequestListener> = {
  'whose HEAD tells less than there is': (request, response) => {
    if (request.method === 'HEAD') response.setHeader('Content-Length', 77);
    response.end(request.method === 'HEAD' ? undefined : CONTENT);
  },
  'whose HEAD tells more than there is': (request, response) => {
    if (request.method === 'HEAD') response.setHeader('Content-Length', CONTENT.length + 100);
    response.end(request.method === 'HEAD' ? undefined : CONTENT);
  },
  'that tells another length with the first byte': (request, response) => {
    if (request.headers.range !== 'bytes=0-0') return whole(response);
    return response
      .writeHead(206, { 'Content-Range': `bytes 0-0/${CONTENT.length + 100}` })
      .end(CONTENT.subarray(0, 1));
  },
  'that calls a part a whole': (request, response) => {
    if (request.headers.range === undefined) return whole(response);
    return response.writeHead(200, { 'Content-Length': 1 }).end(CONTENT.subarray(0, 1));
  },
  'that gives one byte, and refuses longer ranges': (request, response) => {
    const { range } = request.headers;
    if (range === undefined) return whole(response);
    const parsed = parseRangeHeader(range, CONTENT.length);
    if (parsed.kind !== 'range' || parsed.range.length > 1) return response.writeHead(403).end('no');
    response.setHeader('Content-Range', `bytes 0-0/${CONTENT.length}`);
    return response.writeHead(206).end(CONTENT.subarray(0, 1));
  },
};

function whole(response: Parameters<RequestListener>[1]): void {
  response.writeHead(200, { 'Content-Length': CONTENT.length }).end(CONTENT);
}

describe('an odd origin', function () {
  this.timeout(60_000);
  const shared = useSharedDirectory();
  const directory = useTemporaryDirectory();
  let daemon: DaemonProcess;
  const servers = new Servers();

  before(async () => (daemon = await DaemonProcess.start(join(shared(), 'daemon'))));
  after(() => daemon.end());
  afterEach(() => servers.close());

  for (const [what, listener] of Object.entries(ORIGINS))
    it(`${what} gives the file, and all of it`, async () => {
      const { url } = await servers.http(listener);
      const output = join(directory(), 'file');
      const result = await daemon.dfget(url, '-O', output);
      assert.equal(result.code, 0, result.stderr);
      assert.ok((await readFile(output)).equals(CONTENT));
    });
});
