import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { parseVortex, readToEnd } from './support/clients.js';
import { type RunningService, startService } from './support/service.js';
import { contentVectors, errorVectors, requestVectors } from '../vortex/support/vectors.js';

const [, , , lastPieceRequest, , absentPieceRequest] = requestVectors;
const [, lastPieceAnswer] = contentVectors;
const [, absentPieceAnswer] = errorVectors;
/** The file of the captured exchange: five pieces of 4 MiB and one of a single byte, an "r". */
const CAPTURED_LENGTH = 20_971_521;
const PIECE_LENGTH = 4_194_304;

/** Requests as Dragonfly's programs sent them, and what a parent of Dragonfly answered. */
describe('captured vortex conversations', () => {
  let running: RunningService;

  before(async () => {
    running = await startService();
    const content = Buffer.alloc(CAPTURED_LENGTH, 'r');
    running.source.add({ content, taskId: lastPieceRequest.taskId, pieceLength: PIECE_LENGTH });
  });
  after(() => running.stop());

  async function answerTo(hex: string): Promise<Buffer> {
    const socket = connect({ port: running.vortexPort, host: '127.0.0.1', allowHalfOpen: true });
    socket.write(Buffer.from(hex, 'hex'));
    return readToEnd(socket);
  }

  it('a piece is answered as the original answered it', async () => {
    const { packet, rest } = parseVortex(await answerTo(lastPieceRequest.hex));
    assert.ok(packet?.kind === 'content');
    // Who gave it to the parent, and when and how fast, is each parent's own.
    const { parentId, costSeconds, createdAtSeconds } = packet.metadata;
    assert.deepEqual(packet.metadata, { ...lastPieceAnswer?.metadata, parentId, costSeconds, createdAtSeconds });
    assert.equal(rest.toString(), 'r');
  });

  it('a piece of an unknown task is answered with the original’s bytes', async () => {
    const answer = await answerTo(absentPieceRequest.hex);
    // The first byte is a random packet id.
    assert.equal(answer.subarray(1).toString('hex'), absentPieceAnswer?.hex.slice(2));
  });
});
