import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { encodeRequest } from '../../src/vortex/codec.js';
import { computeTaskId, parseTaskId, type TaskId } from '../../src/core/task-id.js';
import { parseVortex, readToEnd } from '../upload/support/clients.js';
import { Cluster } from './support/cluster.js';
import type { Peer } from './support/peer.js';
import { requirePrograms } from './support/programs.js';

const CONTENT_BYTES = 9_000_000;
const LAST_PIECE = 2;
const VORTEX_PORT = 4005;
const CLOSE_TAG = 254;

/** A parent's answer, without what is each parent's own: its packet id, where it has the piece from, and when. */
async function answer(peer: Peer, request: Uint8Array): Promise<unknown> {
  const socket = connect({ port: VORTEX_PORT, host: peer.host.ip, allowHalfOpen: true });
  socket.write(request);
  const bytes = await readToEnd(socket);
  if (bytes.length === 0) return 'closed without an answer';
  const { packet, rest } = parseVortex(bytes);
  if (packet?.kind === 'error') return { code: packet.code, message: packet.message };
  assert.ok(packet?.kind === 'content');
  const { number, offset, length, digest, trafficType } = packet.metadata;
  return { number, offset, length, digest, trafficType, body: createHash('sha256').update(rest).digest('hex') };
}

describe('the same vortex requests to a parent of each maker', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let dfpeer: Peer;
  let dragonfly: Peer;
  let taskId: TaskId;

  before(async function () {
    requirePrograms(this, 'scheduler', 'dfdaemon', 'dfget');
    cluster = await Cluster.create();
    await cluster.startOrigin(CONTENT_BYTES);
    const { dynconfig } = await cluster.startScheduler();
    [dfpeer, dragonfly] = await Promise.all([
      cluster.startPeer('dfpeer', 'ours', { dynconfig }),
      cluster.startPeer('dragonfly', 'theirs', { dynconfig }),
    ]);
    await Promise.all([cluster.download(dfpeer), cluster.download(dragonfly)]);
    taskId = computeTaskId({ url: cluster.origin.url() });
  });
  after(async () => cluster?.close());

  const cases: readonly (readonly [string, (id: TaskId) => Uint8Array])[] = [
    ['the first piece', (id) => encodeRequest(id, 0)],
    ['the last piece, which is shorter', (id) => encodeRequest(id, LAST_PIECE)],
    ['a piece beyond the end', (id) => encodeRequest(id, 99_999)],
    ['a piece of an unknown task', () => encodeRequest(parseTaskId('0'.repeat(64)), 0)],
    ['a close packet', () => Buffer.from([1, CLOSE_TAG, 0, 0, 0, 0])],
    ['a request of the wrong length', () => Buffer.from([1, 0, 0, 0, 0, 3, 1, 2, 3])],
  ];
  for (const [what, request] of cases)
    it(`get the same answer: ${what}`, async () => {
      assert.deepEqual(await answer(dfpeer, request(taskId)), await answer(dragonfly, request(taskId)));
    });

  it('get an error each for a persistent piece, which ours calls not found', async () => {
    for (const tag of [2, 4] as const) {
      const request = encodeRequest(taskId, 0, 1, tag);
      assert.deepEqual(await answer(dfpeer, request), { code: 2, message: `piece ${taskId}-0 not found` });
      assert.match(JSON.stringify(await answer(dragonfly, request)), /"code":3/);
    }
  });
});
