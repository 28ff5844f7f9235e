import assert from 'node:assert/strict';
import { PieceSet } from '../../../src/core/piece-set.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import {
  CROSSED_OFFER_TIMEOUT_MS,
  FIRST_OFFER_TIMEOUT_MS,
  MAX_CHILD_SHARE,
  MAX_OFFER_TIMEOUT_MS,
  MAX_PACED_UPLOAD_MS,
  MAX_UNTAKEN_OFFERS,
  MIN_PACED_UPLOADS,
  OfferPacing,
  SPARE_PATIENCE_MS,
  UPLOAD_PATIENCE,
} from '../../../src/peer/swarm/offer-pacing.js';
import type { PacedChild, Untold } from '../../../src/peer/swarm/paced-child.js';
import { ManualClock } from '../../support/manual-clock.js';

const TASK = computeTaskId({ url: 'http://example.com/' });
const PIECE_BYTES = 4 * 1024 * 1024;
const PIECES = 100;

const ONE: Untold = { some: () => true, choose: () => 1, isNews: () => false };

const ipOf = (index: number): string => `10.0.0.${index + 1}`;

/** A child that has asked to be told of everything, again and again. */
class Listener {
  readonly heard: number[] = [];
  readonly child: PacedChild;
  isNews: (number: number) => boolean = () => false;
  readonly #controller = new AbortController();

  constructor(pacing: OfferPacing, index: number) {
    this.child = pacing.join({ taskId: TASK, hostId: `host-${index}`, ip: ipOf(index) });
  }

  /** Of numbers from 0 on, the lowest that it lacks and has not heard of. */
  async listen(pieces: number): Promise<void> {
    const left = new Set(Array.from({ length: pieces }, (_, number) => number));
    const untold: Untold = {
      some: (isWanted) => [...left].some(isWanted),
      choose: (isWanted) => {
        const number = [...left].find(isWanted);
        if (number !== undefined) left.delete(number);
        return number;
      },
      isNews: (number) => this.isNews(number),
    };
    while (left.size > 0 && !this.#controller.signal.aborted)
      this.heard.push(...(await this.child.next(untold, this.#controller.signal)));
  }

  leave(): void {
    this.#controller.abort();
    this.child.leave();
  }
}

describe('offer pacing', () => {
  let clock: ManualClock;
  let pacing: OfferPacing;

  beforeEach(() => {
    clock = new ManualClock();
    pacing = new OfferPacing(clock);
  });

  function upload(number: number, childIp: string): (durationMs: number) => void {
    const task = { taskId: TASK, pieceLength: PIECE_BYTES };
    const spec = { task, range: { offset: number * PIECE_BYTES, length: PIECE_BYTES }, childIp };
    const end = pacing.onUpload(spec as unknown as Parameters<typeof pacing.onUpload>[0], { bytesSent: 0 });
    return (durationMs) => end({ result: 'complete', bytesSent: PIECE_BYTES, durationMs } as Parameters<typeof end>[0]);
  }

  /** The child takes all that it has heard of. */
  function takeAll({ child, heard }: Listener): ((durationMs: number) => void)[] {
    return heard.map((number) => upload(number, child.ip));
  }

  function listeners(count: number): Listener[] {
    const all = Array.from({ length: count }, (_, index) => new Listener(pacing, index));
    for (const each of all) void each.listen(PIECES);
    return all;
  }

  function says(
    index: number,
    isHeld: (number: number) => boolean,
    parentHostIds: string[] = [],
    isHere: (number: number) => boolean = isHeld,
    ip = ipOf(index),
  ): void {
    const [held, here] = [PieceSet.of(PIECES, isHeld), PieceSet.of(PIECES, isHere)];
    assert.ok(held !== undefined && here !== undefined);
    pacing.learn({ taskId: TASK, hostId: `host-${index}`, ip }, { held, here, parentHostIds });
  }

  /** They hold nothing, these hosts may give to them, and all that is here is news. */
  function newsListeners(count: number, hosts: string[]): Listener[] {
    const all = listeners(count);
    for (const [index, each] of all.entries()) {
      each.isNews = () => true;
      says(index, () => false, hosts);
    }
    return all;
  }

  const total = (all: readonly Listener[]): number => all.reduce((sum, { heard }) => sum + heard.length, 0);
  const counts = (all: readonly Listener[]): number[] => all.map(({ heard }) => heard.length);

  it('shares the first offers evenly, no more than the line takes at once', async () => {
    const all = listeners(2);
    await settled();
    assert.deepEqual(counts(all), [MIN_PACED_UPLOADS / 2, MIN_PACED_UPLOADS / 2]);
  });

  it('offers nothing more while the offers are being uploaded, and one when an upload ends', async () => {
    const all = listeners(4);
    await settled();
    const ends = all.flatMap(takeAll);
    clock.advance(MAX_OFFER_TIMEOUT_MS);
    await settled();
    assert.equal(total(all), MIN_PACED_UPLOADS);
    ends[0]?.(1000);
    await settled();
    // And one for the window, which has grown: the upload was the quickest so far.
    assert.equal(total(all), MIN_PACED_UPLOADS + 2);
  });

  it('shares several places that become free at once evenly, whoever came first', async () => {
    const all = listeners(4);
    await settled();
    for (const end of all.flatMap(takeAll)) end(1000);
    await settled();
    assert.ok(Math.max(...counts(all)) - Math.min(...counts(all)) <= 1, counts(all).join(' '));
    assert.ok(total(all) > 2 * MIN_PACED_UPLOADS);
  });

  it('serves the child first that is furthest behind, as far as its share goes', async () => {
    const all = listeners(3);
    says(0, (number) => number < 50);
    says(1, (number) => number < 10);
    says(2, (number) => number < 60);
    await settled();
    const share = Math.ceil(MIN_PACED_UPLOADS * MAX_CHILD_SHARE);
    assert.deepEqual(counts(all), [MIN_PACED_UPLOADS - share, share, 0]);
  });

  it('tells a child of nothing that it holds', async () => {
    const all = listeners(2);
    says(0, (number) => number < 90);
    says(1, (number) => number < 90);
    await settled();
    assert.ok(total(all) > 0);
    assert.ok(all.every(({ heard }) => heard.every((number) => number >= 90)));
  });

  it('hears what a child holds only from the host that it is on', () => {
    listeners(1);
    says(
      0,
      () => true,
      [],
      () => true,
      '10.0.0.99',
    );
    assert.equal(pacing.copies(TASK, 7), 0);
    says(0, () => true);
    assert.equal(pacing.copies(TASK, 7), 1);
  });

  it('tells a child late of what it waits for from others, and never of what it has', async () => {
    const all = listeners(2);
    const isHeld = (number: number): boolean => number < 90;
    says(0, isHeld, [], (number) => number < 80);
    says(1, isHeld);
    await passes(SPARE_PATIENCE_MS);
    assert.deepEqual(heardBelow(90), [[], []]);
    await passes(SPARE_PATIENCE_MS);
    assert.deepEqual(heardBelow(90), [[80, 81, 82, 83, 84, 85, 86, 87, 88, 89], []]);

    function heardBelow(limit: number): number[][] {
      return all.map(({ heard }) => heard.filter((number) => number < limit).sort((a, b) => a - b));
    }
  });

  it('is more patient with children that share a slow line, and begins anew with what they lack in between', async () => {
    const all = listeners(2);
    await settled();
    for (const end of all.flatMap(takeAll)) end(SPARE_PATIENCE_MS);
    for (const each of all) each.heard.length = 0;
    const isHeld = (number: number): boolean => number >= 90;
    for (const index of [0, 1]) says(index, isHeld, [], () => false);
    await passes(2 * SPARE_PATIENCE_MS);
    says(
      0,
      () => false,
      [],
      () => false,
    );
    await passes(500);
    says(0, isHeld, [], () => false);
    await passes(2 * SPARE_PATIENCE_MS);
    const spares = all.map(({ heard }) => heard.filter(isHeld).length);
    assert.deepEqual(spares, [0, PIECES - 90]);
  });

  it('gives the place of an offer to others soon when the child says that it has the piece from elsewhere', async () => {
    const all = listeners(2);
    await settled();
    says(0, () => true);
    await settled();
    clock.advance(CROSSED_OFFER_TIMEOUT_MS);
    await settled();
    assert.deepEqual(counts(all), [MIN_PACED_UPLOADS / 2, Math.ceil(MIN_PACED_UPLOADS * MAX_CHILD_SHARE)]);
  });

  it('tells one child only of what comes from the origin, when others have it from there', async () => {
    const hosts = ['host-0', 'host-1', 'host-2'];
    const all = newsListeners(3, hosts);
    for (let round = 0; round < 10; round++) {
      await settled();
      for (const [index, each] of all.entries()) says(index, (number) => each.heard.includes(number), hosts);
      for (const end of all.flatMap(takeAll)) end(1000);
      clock.advance(10);
    }
    await settled();
    const heard = all.flatMap((each) => each.heard);
    assert.ok(heard.length > MIN_PACED_UPLOADS);
    assert.equal(new Set(heard).size, heard.length);
  });

  it('gives it first to the child that has the least left to pass on, not to the one that lacks the most', async () => {
    const hosts = ['host-0', 'host-1', 'host-2'];
    const all = newsListeners(3, hosts);
    await settled();
    const ends = all.flatMap(takeAll);
    const kept = new Set(all[2]?.heard);
    const before = counts(all);
    for (const index of [0, 1]) says(index, (number) => number < 50 && !kept.has(number), hosts);
    says(2, (number) => number < MIN_PACED_UPLOADS, hosts);
    for (const end of ends) end(1000);
    await settled();
    const [first = 0, second = 0] = counts(all).map((count, index) => count - (before[index] ?? 0));
    assert.ok(first > 0 && second > 0, `${before.join(' ')} → ${counts(all).join(' ')}`);
  });

  it('tells a child of it that has nobody else to have it from', async () => {
    const all = newsListeners(2, ['this-host']);
    await settled();
    assert.deepEqual(all[0]?.heard, all[1]?.heard);
  });

  it('tells others of it when whoever was told does not pass it on in time', async () => {
    const all = listeners(2);
    for (const [index, each] of all.entries()) {
      each.isNews = (number) => number < 2;
      says(index, (number) => number >= 2, ['host-0', 'host-1']);
    }
    await settled();
    assert.equal(total(all), 2);
    clock.advance(MAX_PACED_UPLOAD_MS + 1000);
    await settled();
    assert.equal(total(all), 4);
  });

  it('ends the wait of a child for which something else has happened', async () => {
    const all = listeners(2);
    await settled();
    const before = total(all);
    const waiting = all[0]?.child.next(ONE, new AbortController().signal);
    all[0]?.child.recall();
    assert.deepEqual(await waiting, []);
    assert.equal(total(all), before);
  });

  it('counts who says that it has a piece, and forgets who is gone', async () => {
    const all = listeners(3);
    says(0, (number) => number < 2);
    says(1, (number) => number < 1);
    assert.deepEqual([pacing.copies(TASK, 0), pacing.copies(TASK, 1), pacing.copies(TASK, 2)], [2, 1, 0]);
    assert.ok(pacing.hasChild(TASK, all[0]?.child.ip ?? ''));
    for (const { child } of all) child.leave();
    await settled();
    assert.equal(pacing.copies(TASK, 0), 0);
    assert.equal(pacing.hasChild(TASK, all[0]?.child.ip ?? ''), false);
  });

  it('lets a child alone with a task hear far ahead of what it takes', async () => {
    const [only] = listeners(1);
    await settled();
    assert.equal(only?.heard.length, MAX_UNTAKEN_OFFERS);
    clock.advance(FIRST_OFFER_TIMEOUT_MS);
    await settled();
    assert.equal(only.heard.length, 2 * MAX_UNTAKEN_OFFERS);
  });

  it('gives children on slow links longer to answer', async () => {
    const all = listeners(2);
    for (let round = 0; round < 20; round++) {
      await settled();
      clock.advance(FIRST_OFFER_TIMEOUT_MS * 2);
      for (const each of all) {
        for (const end of takeAll(each)) end(600);
        each.heard.length = 0;
      }
    }
    await settled();
    const before = total(all);
    clock.advance(FIRST_OFFER_TIMEOUT_MS * 2);
    await settled();
    assert.equal(total(all), before, 'offers lapsed before the children could answer');
  });

  for (const { takeMs, ahead } of [
    { takeMs: 0, ahead: 0 },
    { takeMs: 250, ahead: MIN_PACED_UPLOADS / 2 },
    { takeMs: 1500, ahead: MIN_PACED_UPLOADS },
  ])
    it(`makes ${ahead} offers more than the line takes at once when they are taken after ${takeMs} ms, and an upload takes 500`, async () => {
      const all = listeners(4);
      await settled();
      for (const end of all.flatMap(takeAll)) end(100);
      for (let round = 0; round < 5; round++) {
        for (const each of all) each.heard.length = 0;
        await settled();
        clock.advance(takeMs);
        for (const end of all.flatMap(takeAll)) end(500);
      }
      for (const each of all) each.heard.length = 0;
      await settled();
      assert.equal(total(all), MIN_PACED_UPLOADS + ahead);
    });

  it('does not wait for uploads that take far longer than usual, but leaves a child with such ones at its share', async () => {
    const all = listeners(2);
    const [slow, quick] = all;
    assert.ok(slow !== undefined && quick !== undefined);
    await settled();
    takeAll(slow);
    for (const end of takeAll(quick)) end(100);
    clock.advance(UPLOAD_PATIENCE * 100);
    for (let round = 0; round < 5; round++) {
      await settled();
      clock.advance(MAX_OFFER_TIMEOUT_MS);
    }
    await settled();
    assert.ok(quick.heard.length > MIN_PACED_UPLOADS, `${quick.heard.length}`);
  });

  it('ends the wait of a child that leaves, and holds no timer in the end', async () => {
    const all = listeners(3);
    await settled();
    for (const each of all) each.leave();
    await passes(SPARE_PATIENCE_MS);
    assert.equal(clock.pendingTimers, 0);
  });

  async function passes(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      await settled();
      clock.advance(50);
    }
    await settled();
  }

  /** Everything that can go on without time passing has gone on. */
  async function settled(): Promise<void> {
    for (let turn = 0; turn < 200; turn++) {
      await Promise.resolve();
      clock.advance(0);
    }
  }
});
