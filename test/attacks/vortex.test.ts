import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { encodeRequest } from '../../src/vortex/codec.js';
import { useSharedDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { AttackedDaemon } from './support/attacked-daemon.js';
import { destroyAll, exchange, flood, openMany, openRaw, readUntilClosed } from './support/raw-connections.js';

const CONNECTIONS_PER_IP = 64;
const HEADER_BYTES = 6;

describe('the vortex ports of a daemon under attack', function () {
  this.timeout(60_000);
  const directory = useSharedDirectory();
  let target: AttackedDaemon;

  before(async () => {
    target = await AttackedDaemon.start(directory(), {
      upload: { maxConnectionsPerIP: CONNECTIONS_PER_IP, minProgressTimeout: '4s' },
    });
  });
  beforeEach(() => target.rest());
  after(() => target.end());

  /** A request with another length in its header, or other bytes for its task. */
  function forged(change: (packet: Buffer) => void): Buffer {
    const packet = Buffer.from(encodeRequest(target.taskId, 0));
    change(packet);
    return packet;
  }

  it('close what is no request without an answer, or say that it is none', async () => {
    const wrong = [
      forged((packet) => packet.writeUInt32BE(0xffffffff, 2)),
      forged((packet) => packet.writeUInt32BE(0, 2)),
      forged((packet) => packet.writeUInt8(200, 1)),
      forged((packet) => packet.write('../../../../etc/passwd', HEADER_BYTES)),
      forged((packet) => packet.fill(0, HEADER_BYTES)),
      forged((packet) => packet.writeUInt32BE(0xffffffff, HEADER_BYTES + 64)),
    ];
    for (const port of [target.ports.vortex, target.ports.grpc])
      for (const bytes of wrong) {
        const socket = openRaw(port);
        socket.end(bytes);
        const answer = await readUntilClosed(socket);
        assert.ok(answer.length < 1000, 'a refusal is short');
        assert.ok(answer.length === 0 || answer[1] === 255, 'and an error packet');
      }
    await target.assertUnharmed();
  });

  it('survive bytes at random', async () => {
    for (let round = 0; round < 200; round++) {
      const socket = openRaw(round % 2 === 0 ? target.ports.vortex : target.ports.grpc);
      socket.end(randomBytes(1 + round * 5));
      await readUntilClosed(socket);
    }
    await target.assertUnharmed();
  });

  it('close who sends megabytes instead of a request', async () => {
    const flood = Buffer.concat([encodeRequest(target.taskId, 0), randomBytes(8 * 1024 * 1024)]);
    await Promise.all(Array.from({ length: 8 }, () => exchange(target.ports.vortex, flood)));
    await target.assertUnharmed();
  });

  it('cut off who takes nothing of a piece', async () => {
    const sockets = openMany(target.ports.vortex, CONNECTIONS_PER_IP);
    for (const socket of sockets) socket.write(encodeRequest(target.taskId, 0));
    await target.assertUnharmed();
    await until(
      'the uploads to be given up',
      async () => (await target.daemon.metric('dragonfly_client_concurrent_upload_piece_total')) === 0,
    );
    destroyAll(sockets);
  });

  it('let an IP that opens connections without end have its share and no more', async () => {
    const sockets = await flood(target.ports.vortex, { cap: CONNECTIONS_PER_IP, excess: 500 });
    await target.assertUnharmed();
    destroyAll(sockets);
  });
});
