import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { useSharedDirectory } from '../support/temporary-directory.js';
import { AttackedDaemon } from './support/attacked-daemon.js';

const FILLER = 'x'.repeat(1000);
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** What an origin sends once, and then without end, as fast as it is taken. */
const ENDLESS: Readonly<Record<string, readonly [once: string, forEver: string]>> = {
  'informational answers': ['', 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n'],
  headers: ['HTTP/1.1 200 OK\r\n', `X-A: ${FILLER}\r\n`],
  'the name of a header': ['HTTP/1.1 200 OK\r\n', FILLER],
  'a status line': ['HTTP/1.1 200 ', FILLER],
  'the extension of a chunk': [`${CHUNKED}1;a=`, FILLER],
  trailers: [`${CHUNKED}1\r\na\r\n0\r\n`, `X-A: ${FILLER}\r\n`],
};

describe('a hostile origin', function () {
  this.timeout(60_000);
  const directory = useSharedDirectory();
  let target: AttackedDaemon;
  let origin: Server;
  let answer: (socket: Socket) => void;

  before(async () => {
    target = await AttackedDaemon.start(directory(), { backend: { maxRetries: 0 } });
    origin = createServer((socket) => {
      socket.on('error', () => undefined).once('data', () => answer(socket));
    }).listen(0, '127.0.0.1');
    await once(origin, 'listening');
  });
  beforeEach(() => target.rest());
  after(async () => {
    await target.end();
    origin.close();
  });

  const get = (path: string, ...args: string[]): ReturnType<typeof target.daemon.dfget> => {
    const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}/${encodeURIComponent(path)}`;
    return target.daemon.dfget(url, '-O', join(directory(), 'output'), '--timeout', '3s', ...args);
  };

  for (const [what, [once, forEver]] of Object.entries(ENDLESS))
    it(`that sends ${what} without end costs one download, and no memory`, async () => {
      answer = (socket) => {
        const pour = (): void => {
          while (!socket.destroyed && socket.write(forEver.repeat(50)));
        };
        socket.write(once);
        socket.on('drain', pour);
        pour();
      };
      assert.notEqual((await get(what)).code, 0);
      await target.assertUnharmed();
    });

  const claims = (length: number) => (socket: Socket) =>
    socket.end(`HTTP/1.1 206 P\r\nContent-Length: 1\r\nContent-Range: bytes 0-0/${length}\r\n\r\na`);

  it('that claims to have petabytes is refused at once: millions of pieces would stop the daemon', async () => {
    for (const length of [4 * 1024 ** 4 + 1, 1024 ** 5, Number.MAX_SAFE_INTEGER]) {
      answer = claims(length);
      assert.match((await get(String(length))).stderr, /more than 65536 pieces of 64\.0 MiB \[DFP_LIMIT\]/);
    }
    await target.assertUnharmed();
  });

  it('of whose content there would be too many small pieces is asked for larger ones', async () => {
    answer = claims(1024 ** 4);
    const { stderr } = await get('small pieces', '--piece-length', '4MiB');
    assert.match(stderr, /1\.0 TiB: more than 65536 pieces of 4\.0 MiB; give a larger --piece-length \[DFP_LIMIT\]/);
  });
});
