import assert from 'node:assert/strict';
import { Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import { silentLogger } from '../../../src/core/logger.js';
import { PieceSet } from '../../../src/core/piece-set.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import type { SyncPiecesResponse } from '../../../src/generated/dfdaemon/v2/SyncPiecesResponse.js';
import { DfdaemonUpload } from '../../../src/grpc/protos.js';
import { type GrpcServer, type GrpcService, startGrpcServer } from '../../../src/grpc/server.js';
import { HeldPieces } from '../../../src/peer/download/held-pieces.js';
import { OfferPacing } from '../../../src/peer/swarm/offer-pacing.js';
import type { PacedChild } from '../../../src/peer/swarm/paced-child.js';
import { makePeerService } from '../../../src/peer/grpc/peer-service.js';
import { GrpcParentDialer, HTTP_PORT_HEADER } from '../../../src/peer/parents/grpc-parent-dialer.js';
import type { PieceOffer } from '../../../src/peer/parents/parent-dialer.js';
import { until } from '../../support/until.js';

const TASK = computeTaskId({ url: 'http://example.com/' });
const CHILD_HOST = 'child-host';
const PIECES = 64;
const PIECE_BYTES = 4 * 1024 * 1024;

/** Offers one piece, and stays. */
function parentService({ isOurs }: { isOurs: boolean }): GrpcService {
  const syncPieces = (call: ServerWritableStream<unknown, SyncPiecesResponse>): void => {
    const metadata = new Metadata();
    if (isOurs) metadata.set(HTTP_PORT_HEADER, '4007');
    call.sendMetadata(metadata);
    call.write({ number: 0, offset: 0, length: PIECE_BYTES, ip: '127.0.0.1', tcpPort: 4005 });
  };
  return {
    name: 'dfdaemon.v2.DfdaemonUpload',
    definition: DfdaemonUpload.service,
    implementation: { SyncPieces: syncPieces },
  };
}

describe('a child that tells its parents what it holds', () => {
  let server: GrpcServer | undefined;
  let pacing: OfferPacing;
  let child: PacedChild;
  let download: AbortController;
  const held = new Set<number>();
  const arrived = new Set<number>();
  let parentHostIds = ['parent-host'];
  const pieces = new HeldPieces(() => {
    const set = PieceSet.of(PIECES, (number) => held.has(number));
    const here = PieceSet.of(PIECES, (number) => arrived.has(number));
    return set && here && { held: set, here, parentHostIds };
  });
  const dialer = new GrpcParentDialer({ hostId: CHILD_HOST });

  beforeEach(() => {
    held.clear();
    arrived.clear();
    parentHostIds = ['parent-host'];
    pacing = new OfferPacing();
    child = pacing.join({ taskId: TASK, hostId: CHILD_HOST, ip: '127.0.0.1' });
    download = new AbortController();
  });

  afterEach(async () => {
    child.leave();
    await server?.stop(0);
  });

  after(() => dialer.close());

  async function firstOffer(services: GrpcService[]): Promise<{ offer: PieceOffer; end: () => Promise<unknown> }> {
    server = await startGrpcServer({ listen: { ip: '127.0.0.1', port: 0 }, services, logger: silentLogger });
    const parent = {
      peerId: 'parent',
      hostId: 'parent-host',
      hostname: 'parent-host',
      ip: '127.0.0.1',
      port: server.port,
      isSeed: false,
      state: 'Running',
      maxTxBitsPerSecond: 0,
      txBitsPerSecond: 0,
      wire: new Uint8Array(),
    };
    const request = { taskId: TASK, pieces: [0], held: pieces, traceParent: undefined };
    const offers = dialer.syncPieces(parent, request, download.signal);
    const first = await offers.next();
    assert.ok(first.done !== true);
    const end = async (): Promise<unknown> => {
      download.abort();
      return offers.next();
    };
    return { offer: first.value, end };
  }

  it('is known by it: at once, after each change, and no longer once the download has ended', async () => {
    held.add(7);
    const services = [parentService({ isOurs: true }), makePeerService({ pacing, logger: silentLogger })];
    const { end } = await firstOffer(services);
    await until('the first word', async () => child.held?.size === 1);
    assert.ok(!child.lacks(7) && child.lacks(8));
    held.add(8);
    arrived.add(7);
    pieces.changed();
    await until('the second word', async () => !child.lacks(8));
    assert.ok(child.has(7) && !child.has(8));
    await end();
    held.add(9);
    pieces.changed();
    await server?.stop(1000);
    assert.ok(child.lacks(9));
  });

  it('is known with its parents, which it names again only when they change', async () => {
    const services = [parentService({ isOurs: true }), makePeerService({ pacing, logger: silentLogger })];
    const named: (readonly string[])[] = [];
    const learn = pacing.learn.bind(pacing);
    pacing.learn = (who, standing) => {
      named.push(standing.parentHostIds);
      learn(who, standing);
    };
    const { end } = await firstOffer(services);
    await until('the first word', async () => named.length === 1);
    held.add(8);
    pieces.changed();
    await until('the second word', async () => !child.lacks(8));
    assert.deepEqual([...child.parentHostIds], ['parent-host']);
    parentHostIds = ['parent-host', 'another'];
    pieces.changed();
    await until('the third word', async () => child.parentHostIds.size === 2);
    assert.deepEqual(named, [['parent-host'], [], ['another', 'parent-host']]);
    await end();
  });

  it('tells many changes at once in few words', async () => {
    const services = [parentService({ isOurs: true }), makePeerService({ pacing, logger: silentLogger })];
    let words = 0;
    const learn = pacing.learn.bind(pacing);
    pacing.learn = (...word) => {
      words++;
      learn(...word);
    };
    const { end } = await firstOffer(services);
    for (let number = 0; number < PIECES; number++) {
      held.add(number);
      pieces.changed();
    }
    await until('all', async () => child.held?.size === PIECES);
    assert.ok(words <= 3, `${words} words`);
    await end();
  });

  it('is offered pieces by a parent that does not want to know', async () => {
    const { offer, end } = await firstOffer([parentService({ isOurs: true })]);
    assert.equal(offer.number, 0);
    pieces.changed();
    await end();
  });

  it('tells nothing to a parent of another make', async () => {
    const services = [parentService({ isOurs: false }), makePeerService({ pacing, logger: silentLogger })];
    const { offer, end } = await firstOffer(services);
    assert.equal(offer.endpoint.protocol, 'vortex');
    await end();
    assert.equal(child.held, undefined);
  });
});
