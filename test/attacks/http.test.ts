import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { useSharedDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { AttackedDaemon } from './support/attacked-daemon.js';
import {
  allClosed,
  destroyAll,
  exchange,
  flood,
  openMany,
  openRaw,
  readUntilClosed,
} from './support/raw-connections.js';

const CONNECTIONS_PER_IP = 64;

describe('the HTTP piece port of a daemon under attack', function () {
  this.timeout(60_000);
  const directory = useSharedDirectory();
  let target: AttackedDaemon;

  before(async () => {
    target = await AttackedDaemon.start(directory(), {
      upload: {
        maxConnectionsPerIP: CONNECTIONS_PER_IP,
        headerTimeout: '2s',
        idleTimeout: '3s',
        minProgressTimeout: '4s',
      },
    });
  });
  beforeEach(() => target.rest());
  after(() => target.end());

  const statusOf = (answer: Buffer): string => answer.toString('latin1').slice(0, 12);

  it('closes who sends a head a byte at a time, and who sends none', async () => {
    const sockets = openMany(target.ports.http, CONNECTIONS_PER_IP);
    const head = `GET ${target.path} HTTP/1.1\r\nHost: a\r\n`;
    let sent = 0;
    const drip = setInterval(() => {
      const byte = head[sent++ % head.length] ?? 'x';
      for (const socket of sockets.slice(0, CONNECTIONS_PER_IP / 2)) if (socket.writable) socket.write(byte);
    }, 50);
    await allClosed(sockets);
    clearInterval(drip);
    await target.assertUnharmed();
  });

  it('cuts off who takes nothing of a large answer', async () => {
    const sockets = openMany(target.ports.http, CONNECTIONS_PER_IP);
    for (const socket of sockets) socket.write(`GET ${target.path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await target.assertUnharmed();
    await until(
      'the uploads to be given up',
      async () => (await target.daemon.metric('dragonfly_client_concurrent_upload_piece_total')) === 0,
    );
    destroyAll(sockets);
    await target.assertUnharmed();
  });

  it('refuses heads that are bombs', async () => {
    const bombs = [
      `GET ${target.path} HTTP/1.1\r\n${'X-A: b\r\n'.repeat(100_000)}\r\n`,
      `GET ${target.path} HTTP/1.1\r\nX-A: ${'b'.repeat(4_000_000)}\r\n\r\n`,
      `GET /${'a'.repeat(4_000_000)} HTTP/1.1\r\n\r\n`,
      'A'.repeat(4_000_000),
    ];
    const answers = await Promise.all(
      bombs.flatMap((bomb) => [bomb, bomb, bomb, bomb]).map((bomb) => exchange(target.ports.http, bomb)),
    );
    // A reset may overtake the answer; what must not happen is success.
    for (const answer of answers) assert.match(statusOf(answer), /^(?:HTTP\/1\.1 4\d\d)?$/);
    await target.assertUnharmed();
  });

  it('lets an IP that opens connections without end have its share and no more', async () => {
    const sockets = await flood(target.ports.http, { cap: CONNECTIONS_PER_IP, excess: 700 });
    await target.assertUnharmed();
    destroyAll(sockets);
  });

  it('closes a connection that asks without end and reads nothing', async () => {
    const sockets = openMany(target.ports.http, 16);
    const asked = `GET ${target.path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(1000);
    for (const socket of sockets) socket.write(asked);
    await allClosed(sockets);
    await target.assertUnharmed();
  });

  it('answers 4xx to everything that tries to be a path, and serves no file', async () => {
    const id = target.taskId;
    const tricks = [
      '../../../../etc/passwd',
      '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
      '..%c0%af..%c0%afetc/passwd',
      '....//....//etc/passwd',
      '/etc/passwd',
      '//etc/passwd',
      `${id}%00.txt`,
      `${id}/../../etc/passwd`,
      `${id.slice(0, 63)}/`,
      id.toUpperCase(),
      `${id} /etc/passwd`,
      `..\\..\\etc\\passwd`,
      `${'../'.repeat(40)}etc/passwd`,
    ];
    for (const trick of tricks)
      for (const path of [
        `/download/${trick.slice(0, 3)}/${trick}`,
        `/download/${id.slice(0, 3)}/${trick}`,
        `/${trick}`,
      ]) {
        const answer = await exchange(
          target.ports.http,
          `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
        );
        assert.match(statusOf(answer), /^HTTP\/1\.1 4\d\d$/, path);
        assert.ok(!answer.includes('root:'), path);
      }
    await target.assertUnharmed();
  });

  it('survives bytes that are no HTTP, and requests that contradict themselves', async () => {
    const head = `GET ${target.path} HTTP/1.1\r\nHost: a\r\n`;
    const contradictions = [
      `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef`,
      `${head}Content-Length: -1\r\n\r\n`,
      `${head}Content-Length: 99999999999999999999\r\n\r\n`,
      `${head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n`,
      `${head}Range: bytes=${'0-0,'.repeat(1500)}0-0\r\nConnection: close\r\n\r\n`,
      `${head}Range: bytes=9007199254740993-9007199254740999\r\nConnection: close\r\n\r\n`,
      `${head}Expect: 100-continue\r\nContent-Length: 10\r\n\r\n`,
      `CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n`,
      `${head}Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n`,
      `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    ];
    const noise = Array.from({ length: 200 }, (_, index) => randomBytes(1 + index * 7));
    for (const bytes of [...contradictions, ...noise]) {
      const socket = openRaw(target.ports.http);
      socket.end(bytes);
      await readUntilClosed(socket);
    }
    await target.assertUnharmed();
  });
});
