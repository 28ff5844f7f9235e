import assert from 'node:assert/strict';
import { silentLogger } from '../../../src/core/logger.js';
import { TrafficType, type StoredPiece } from '../../../src/core/piece.js';
import type { CollectedPiece } from '../../../src/peer/download/carriage.js';
import { NamedWaits } from '../../../src/peer/download/named-waits.js';
import { OriginRace, ORIGIN_WIDENING_MS, PARENT_PATIENCE_MS } from '../../../src/peer/download/origin-race.js';
import { ParentFetches, type ParentFetchesContext } from '../../../src/peer/download/parent-fetches.js';
import { ParentLink } from '../../../src/peer/download/parent-link.js';
import { ORIGIN } from '../../../src/peer/download/piece-races.js';
import { ManualClock } from '../../support/manual-clock.js';

const IDLE_TIMEOUT_MS = 30_000;
const SLOW_MS = IDLE_TIMEOUT_MS / 2;

const PIECE: StoredPiece = {
  ...{ number: 1, offset: 0, length: 10, digest: 'crc32:1', parentId: 'second', costMs: 5, createdAtMs: 1 },
  trafficType: TrafficType.REMOTE_PEER,
};

function createLink(peerId: string): ParentLink {
  const context: unknown = { clock: new ManualClock() };
  return new ParentLink({ peerId } as ParentLink['parent'], context as ConstructorParameters<typeof ParentLink>[1]);
}

interface Lane {
  asked: string;
  signal: AbortSignal;
  resolve: (piece: StoredPiece | undefined) => void;
}

describe('the pieces that are taken from parents', () => {
  const [first, second] = [createLink('first'), createLink('second')];
  let clock: ManualClock;
  let lanes: Lane[];
  let reasons: string[];
  let logged: string[];
  let race: OriginRace;
  let fetches: ParentFetches;
  let kept: CollectedPiece[];
  let board: { missingCount: number; inFlightCount: number };
  let world: {
    other: ParentLink | undefined;
    mayUseOrigin: boolean;
    originMayRace: boolean;
    originSlots: number;
    limits: object[];
    onDisk: string;
  };

  beforeEach(() => {
    clock = new ManualClock();
    [lanes, reasons, logged, kept] = [[], [], [], []];
    board = { missingCount: 0, inFlightCount: 1 };
    const usual = { other: undefined, mayUseOrigin: true, originMayRace: true, originSlots: 8 };
    world = { ...usual, limits: [], onDisk: 'crc32:1' };
    race = new OriginRace(clock, () => undefined);
    race.heard();
    const lane = (asked: string, signal: AbortSignal): Promise<StoredPiece | undefined> =>
      new Promise((resolve) => lanes.push({ asked, signal, resolve }));
    const context = {
      dependencies: {
        clock,
        logger: { ...silentLogger, info: (_fields: object, message: string) => logged.push(message) },
        settings: { concurrentPieceCount: 4, idleTimeoutMs: IDLE_TIMEOUT_MS },
        budgets: { forParentPiece: () => world.limits },
      },
      waits: new NamedWaits(clock),
      swarm: {
        silence: 'the parents are silent',
        fetch: (link: ParentLink, number: number, _session: unknown, signal: AbortSignal) =>
          lane(`${number} ${link.id}`, signal),
        chooseFor: (_number: number, asked: ParentLink[]) =>
          world.other !== undefined && asked.includes(world.other) ? undefined : world.other,
      },
      board,
      task: { digestOnDisk: () => Promise.resolve(world.onDisk) },
      originPieces: {
        race: (number: number, signal: AbortSignal) => lane(`${number} origin`, signal),
        get mayRace() {
          return world.originMayRace;
        },
      },
      originRace: race,
      originSlots: () => world.originSlots,
      mayUseOrigin: () => world.mayUseOrigin,
      onOrigin: (reason: string) => reasons.push(reason),
      signal: new AbortController().signal,
      session: () => undefined,
    };
    fetches = new ParentFetches(context as unknown as ParentFetchesContext);
  });
  afterEach(() => race.stop());

  const keep = async (piece: CollectedPiece): Promise<void> => void kept.push(piece);
  const asked = (): string[] => lanes.map((lane) => lane.asked);

  function start(...numbers: number[]): void {
    for (const number of numbers) void fetches.fetch(number, first, keep);
    board.inFlightCount = numbers.length;
  }

  /** Bytes come all the time, only not those of the pieces that are slow. */
  function passBusily(ms: number): void {
    clock.advance(ms);
    race.moved();
    fetches.hedge();
  }

  it('are asked of another parent when they are slow, once', () => {
    world.other = second;
    start(1);
    passBusily(SLOW_MS - 1);
    assert.deepEqual(asked(), ['1 first']);
    passBusily(1);
    assert.deepEqual(asked(), ['1 first', '1 second']);
    passBusily(SLOW_MS);
    assert.deepEqual([asked(), reasons], [['1 first', '1 second'], []]);
    assert.deepEqual(logged, ['a piece is slow, another parent is asked for it too']);
  });

  it('are asked of the origin when they are slow and no other parent has them, one at a time', () => {
    start(1, 2);
    passBusily(SLOW_MS);
    assert.deepEqual(asked(), ['1 first', '2 first', '1 origin']);
    assert.deepEqual(reasons, ['a parent was slow']);
    assert.deepEqual(logged, ['a piece is slow, the origin is asked for it too']);
  });

  for (const [what, change] of [
    ['it may not be used', { mayUseOrigin: false }],
    ['it gives no single pieces', { originMayRace: false }],
  ] as const)
    it(`are left to a slow parent rather than to the origin where ${what}`, () => {
      Object.assign(world, change);
      start(1);
      passBusily(SLOW_MS);
      clock.advance(2 * PARENT_PATIENCE_MS);
      assert.equal(fetches.mayRaceOrigin, false);
      fetches.hedge();
      assert.deepEqual(asked(), ['1 first']);
    });

  it('are asked of a second one only where all are under way, and requests are left', () => {
    world.other = second;
    start(1, 2, 3);
    board.missingCount = 1;
    passBusily(SLOW_MS);
    assert.equal(lanes.length, 3);
    board.missingCount = 0;
    fetches.hedge();
    assert.deepEqual(asked().slice(3), ['1 second']);
    fetches.hedge();
    assert.equal(lanes.length, 4);
  });

  it('are asked of the origin where parents that have spoken are silent, more and more of them', () => {
    start(1, 2, 3, 4);
    clock.advance(PARENT_PATIENCE_MS - ORIGIN_WIDENING_MS);
    fetches.hedge();
    assert.equal(fetches.mayRaceOrigin, false);
    assert.equal(lanes.length, 4);
    clock.advance(ORIGIN_WIDENING_MS);
    assert.equal(fetches.mayRaceOrigin, true);
    fetches.hedge();
    assert.deepEqual(asked().slice(4), ['1 origin']);
    assert.equal(fetches.mayRaceOrigin, false);
    clock.advance(ORIGIN_WIDENING_MS);
    fetches.hedge();
    assert.deepEqual(asked().slice(4), ['1 origin', '2 origin']);
    clock.advance(ORIGIN_WIDENING_MS);
    world.originSlots = 3;
    fetches.hedge();
    assert.deepEqual(asked().slice(4), ['1 origin', '2 origin', '3 origin']);
    assert.deepEqual(new Set(reasons), new Set(['the parents are silent']));
    assert.equal(fetches.parentCount, 4);
  });

  it('are not asked of another silent parent', () => {
    world.other = second;
    start(1);
    clock.advance(PARENT_PATIENCE_MS);
    fetches.hedge();
    assert.deepEqual(asked(), ['1 first', '1 origin']);
  });

  it('come from the origin where nobody has spoken, whoever is asked', () => {
    race.expectLife(500);
    assert.equal(fetches.mayRaceOrigin, false);
    clock.advance(500);
    assert.equal(fetches.mayRaceOrigin, true);
    void fetches.fetch(1, ORIGIN, keep);
    assert.equal(fetches.mayRaceOrigin, false, 'one at first');
    clock.advance(ORIGIN_WIDENING_MS);
    assert.equal(fetches.mayRaceOrigin, true, 'what is asked of the origin is no sign of others');
    assert.equal(fetches.parentCount, 0);
    fetches.hedge();
    assert.deepEqual(asked(), ['1 origin']);
  });

  it('do not come from the origin where our own limit is what parents are slow for, or where they were asked for nothing', () => {
    clock.advance(2 * PARENT_PATIENCE_MS);
    assert.equal(fetches.mayRaceOrigin, false);
    start(1);
    assert.equal(fetches.mayRaceOrigin, false, 'they are asked only now');
    clock.advance(PARENT_PATIENCE_MS / 2);
    start(2);
    clock.advance(PARENT_PATIENCE_MS / 2);
    assert.equal(fetches.mayRaceOrigin, true, 'one more request is no sign of them');
    world.limits = [{}];
    assert.equal(fetches.mayRaceOrigin, false);
  });

  it('are not taken from two whose bytes have spoilt each other', async () => {
    const finish = async (onDisk: string): Promise<CollectedPiece[]> => {
      world.other = second;
      world.onDisk = onDisk;
      [lanes, kept] = [[], []];
      const running = fetches.fetch(PIECE.number, first, keep);
      passBusily(SLOW_MS);
      lanes[1]?.resolve(PIECE);
      await new Promise(setImmediate);
      assert.equal(lanes[0]?.signal.aborted, true);
      lanes[0]?.resolve(undefined);
      await running;
      return kept;
    };
    assert.deepEqual(await finish('crc32:1'), [PIECE]);
    assert.deepEqual(await finish('crc32:2'), []);
  });

  it('are ended together, and ended only when nobody writes any more', async () => {
    start(1, 2);
    let isOver = false;
    const over = fetches.stop().then(() => (isOver = true));
    assert.ok(lanes.every(({ signal }) => signal.aborted));
    lanes[0]?.resolve(undefined);
    await new Promise(setImmediate);
    assert.equal(isOver, false);
    lanes[1]?.resolve(undefined);
    await over;
  });

  it('are ended only when what has come is recorded: the file is written anew after that', async () => {
    let record: () => void = () => undefined;
    const fetching = fetches.fetch(PIECE.number, first, () => new Promise((resolve) => (record = resolve)));
    lanes[0]?.resolve(PIECE);
    await new Promise(setImmediate);
    let isOver = false;
    const over = fetches.stop().then(() => (isOver = true));
    await new Promise(setImmediate);
    assert.equal(isOver, false);
    record();
    await Promise.all([over, fetching]);
  });

  it('are told of, with whom they are awaited from and for how long', () => {
    start(1);
    clock.advance(PARENT_PATIENCE_MS);
    fetches.hedge();
    assert.deepEqual(fetches.describe(), ['piece 1 from first and the origin (5 s)']);
  });
});
