import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { systemClock } from '../../../src/core/clock.js';
import { DfpeerError } from '../../../src/core/errors.js';
import { TrafficType, type StoredPiece } from '../../../src/core/piece.js';
import { ParentLink } from '../../../src/peer/download/parent-link.js';
import { ORIGIN, PieceRaces } from '../../../src/peer/download/piece-races.js';
import { candidate } from './support/candidate-parent.js';

interface Lane {
  parent: string;
  signal: AbortSignal;
  resolve: (piece: StoredPiece | undefined) => void;
  reject: (error: Error) => void;
}

const PIECE: StoredPiece = {
  ...{ number: 7, offset: 0, length: 10, digest: 'crc32:1', parentId: 'any', costMs: 5, createdAtMs: 1 },
  trafficType: TrafficType.REMOTE_PEER,
};

function createLink(peerId: string): ParentLink {
  const dialer = {
    syncPieces: () => assert.fail('not dialled'),
    syncHost: () => assert.fail('not dialled'),
    close: () => undefined,
  };
  const events = { onWord: () => undefined, onOffer: () => undefined, onEnd: () => undefined };
  return new ParentLink(candidate(peerId), { clock: systemClock, dialer, events });
}

describe('piece races', () => {
  const [slow, fast] = [createLink('slow'), createLink('fast')];
  let lanes: Lane[];
  let onDisk: string;
  let nowMs: number;
  let controller: AbortController;
  let races: PieceRaces;

  beforeEach(() => {
    lanes = [];
    onDisk = PIECE.digest;
    nowMs = 0;
    controller = new AbortController();
    races = new PieceRaces({
      clock: { ...systemClock, monotonicMs: () => nowMs },
      signal: controller.signal,
      fetch: (link, _number, signal) =>
        new Promise((resolve, reject) => lanes.push({ parent: link.id, signal, resolve, reject })),
      verify: async (piece) => piece.digest === onDisk,
    });
  });

  const lane = (index: number): Lane => lanes[index] ?? assert.fail(`there is no request ${index}`);

  it('give the piece only when the loser has stopped writing', async () => {
    let isOver = false;
    const result = races.run(7, slow).finally(() => (isOver = true));
    races.hedge(7, fast);
    lane(1).resolve(PIECE);
    await new Promise(setImmediate);
    assert.equal(lane(0).signal.aborted, true);
    assert.equal(isOver, false);
    lane(0).resolve(undefined);
    assert.deepEqual(await result, PIECE);
  });

  it('take no piece whose bytes the loser has spoilt', async () => {
    onDisk = 'crc32:2';
    const result = races.run(7, slow);
    races.hedge(7, fast);
    lane(0).resolve(PIECE);
    await new Promise(setImmediate);
    lane(1).resolve(undefined);
    assert.equal(await result, undefined);
  });

  it('are not run again for a piece that one has spoilt', async () => {
    onDisk = 'crc32:2';
    const spoilt = races.run(7, slow);
    races.hedge(7, fast);
    lane(1).resolve(PIECE);
    await new Promise(setImmediate);
    lane(0).resolve(undefined);
    assert.equal(await spoilt, undefined);
    const again = races.run(7, slow);
    nowMs = 1_000_000;
    assert.equal(races.slowest(0), undefined);
    lane(2).resolve(PIECE);
    assert.deepEqual(await again, PIECE);
  });

  it('go on with the second parent when the first fails', async () => {
    const result = races.run(7, slow);
    races.hedge(7, fast);
    lane(0).resolve(undefined);
    await new Promise(setImmediate);
    assert.equal(lane(1).signal.aborted, false);
    lane(1).resolve(PIECE);
    assert.deepEqual(await result, PIECE);
  });

  it('end with the error of a full disk, once nobody writes', async () => {
    const result = races.run(7, slow);
    races.hedge(7, fast);
    lane(0).reject(new DfpeerError('DFP_STORE_FULL', 'full'));
    await new Promise(setImmediate);
    assert.equal(lane(1).signal.aborted, true);
    lane(1).resolve(undefined);
    await assert.rejects(result, { code: 'DFP_STORE_FULL' });
  });

  it('ask nobody twice for a piece, and nobody more for one that is over', async () => {
    const result = races.run(7, slow);
    races.hedge(7, slow);
    races.hedge(8, fast);
    assert.equal(lanes.length, 1);
    lane(0).resolve(PIECE);
    assert.deepEqual(await result, PIECE);
  });

  it('stop all when the download is aborted, and what begins after that', async () => {
    const results = [races.run(7, slow)];
    controller.abort();
    results.push(races.run(8, fast));
    assert.deepEqual([lane(0).signal.aborted, lane(1).signal.aborted], [true, true]);
    for (const { resolve } of lanes) resolve(undefined);
    assert.deepEqual(await Promise.all(results), [undefined, undefined]);
  });

  it('count the pieces that parents and the origin are asked for, and forget them', async () => {
    const results = [races.run(7, slow), races.run(8, ORIGIN)];
    races.hedge(7, ORIGIN);
    results.push(races.run(9, fast));
    nowMs = 100;
    assert.deepEqual([races.parentCount, races.originCount, races.hedgeCount], [2, 2, 1]);
    assert.deepEqual(races.underWay()[0], { number: 7, sources: [slow, ORIGIN], forMs: 100 });
    for (const { resolve } of lanes) resolve(undefined);
    await Promise.all(results);
    assert.deepEqual(races.underWay(), []);
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  });

  it('name the slowest of several pieces', () => {
    for (const number of [5, 3, 4]) {
      nowMs += 100;
      void races.run(number, slow);
    }
    assert.equal(races.oldest(0)?.number, 5);
  });

  it('take what parents need for usual, not what the origin needs', async () => {
    const fromOrigin = races.run(1, ORIGIN);
    lane(0).resolve({ ...PIECE, number: 1, parentId: undefined, costMs: 60_000 });
    await fromOrigin;
    void races.run(7, slow);
    nowMs = 2000;
    assert.equal(races.slowest(2000)?.number, 7);
  });

  it('name the slowest piece only after several times the usual cost, and only once', async () => {
    const usual = races.run(1, fast);
    lane(0).resolve({ ...PIECE, number: 1, costMs: 1000 });
    await usual;
    const result = races.run(7, slow);
    nowMs = 2999;
    assert.equal(races.slowest(0), undefined);
    nowMs = 3000;
    assert.deepEqual(races.slowest(0), { number: 7, asked: [slow] });
    races.hedge(7, fast);
    assert.equal(races.hedgeCount, 1);
    assert.equal(races.slowest(0), undefined);
    for (const { resolve } of lanes) resolve(undefined);
    await result;
    assert.equal(races.hedgeCount, 0);
  });
});
