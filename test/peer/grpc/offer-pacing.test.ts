import assert from 'node:assert/strict';
import { computeTaskId } from '../../../src/core/task-id.js';
import {
  FIRST_OFFER_TIMEOUT_MS,
  MAX_OFFER_TIMEOUT_MS,
  MAX_PACED_UPLOAD_MS,
  MAX_UNTAKEN_OFFERS,
  MIN_PACED_UPLOADS,
  OFFER_MEMORY_MS,
  OfferPacing,
  type PacedChild,
} from '../../../src/peer/grpc/offer-pacing.js';
import { FakeClock } from '../../scheduler/fake-clock.js';

const TASK = computeTaskId({ url: 'http://example.com/' });
const PIECE_BYTES = 4 * 1024 * 1024;

/** A child that has asked to be told of everything, again and again. */
class Listener {
  readonly heard: number[] = [];
  readonly child: PacedChild;
  readonly #controller = new AbortController();

  constructor(pacing: OfferPacing, ip: string) {
    this.child = pacing.join(TASK, ip);
  }

  /** Of `pieces` numbers from 0 on, of which `told` have been told to some child. */
  async listen(pieces: number, told: Set<number>): Promise<void> {
    for (let left = pieces; left > 0; left--) {
      const choose = (which: 'new' | 'any'): number | undefined => {
        for (let number = 0; number < pieces; number++)
          if (!this.heard.includes(number) && (which === 'any' || !told.has(number))) {
            told.add(number);
            return number;
          }
        return undefined;
      };
      const number = await this.child.next(choose, this.#controller.signal);
      if (number === undefined) return;
      this.heard.push(number);
    }
  }

  leave(): void {
    this.#controller.abort();
    this.child.leave();
  }
}

describe('offer pacing', () => {
  let clock: FakeClock;
  let pacing: OfferPacing;

  beforeEach(() => {
    clock = new FakeClock();
    pacing = new OfferPacing(clock);
  });

  function upload(number: number, childIp = '10.9.9.9', childHolds = ''): (durationMs: number) => void {
    const task = { taskId: TASK, pieceLength: PIECE_BYTES };
    const spec = { task, range: { offset: number * PIECE_BYTES, length: PIECE_BYTES }, childIp, childHolds };
    const end = pacing.onUpload(spec as Parameters<typeof pacing.onUpload>[0]);
    return (durationMs) => end({ result: 'complete', bytesSent: PIECE_BYTES, durationMs } as Parameters<typeof end>[0]);
  }

  function listeners(count: number, pieces = 100): Listener[] {
    const all = Array.from({ length: count }, (_, index) => new Listener(pacing, `10.0.0.${index + 1}`));
    const told = new Set<number>();
    for (const each of all) void each.listen(pieces, told);
    return all;
  }

  const total = (all: readonly Listener[]): number => all.reduce((sum, { heard }) => sum + heard.length, 0);

  it('shares the first offers evenly, no more than the line takes at once', async () => {
    const all = listeners(2);
    await settled();
    assert.equal(total(all), MIN_PACED_UPLOADS);
    assert.deepEqual(
      all.map(({ heard }) => heard.length),
      [MIN_PACED_UPLOADS / 2, MIN_PACED_UPLOADS / 2],
    );
  });

  it('offers nothing more while the offers are being uploaded, and one when an upload ends', async () => {
    const all = listeners(4);
    await settled();
    const ends = all.map(({ heard }) => upload(heard[0] ?? -1));
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
    const ends = all.map(({ heard }) => upload(heard[0] ?? -1));
    for (const end of ends) end(1000);
    await settled();
    // The uploads have opened the window: the least served are first, each time anew.
    const counts = all.map(({ heard }) => heard.length);
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join(' '));
    assert.ok(total(all) > 2 * MIN_PACED_UPLOADS);
  });

  it('tells one child alone of a new piece, and another one once half of the line is free', async () => {
    const all = listeners(3, MIN_PACED_UPLOADS);
    await settled();
    const heard = all.flatMap((each) => each.heard);
    assert.deepEqual(heard.sort(), [...heard.keys()]);
    assert.equal(heard.length, MIN_PACED_UPLOADS);
    const ends = heard.map((number) => upload(number));
    for (const end of ends.slice(0, MIN_PACED_UPLOADS / 2)) end(1000);
    await settled();
    assert.equal(total(all), MIN_PACED_UPLOADS + 1);
  });

  it('ends the wait of a child for which something else has happened', async () => {
    const all = listeners(2);
    await settled();
    const before = total(all);
    const waiting = all[0]?.child.next(() => 1, new AbortController().signal);
    all[0]?.child.recall();
    assert.equal(await waiting, undefined);
    assert.equal(total(all), before);
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
    for (let round = 0; round < 40; round++) {
      await settled();
      clock.advance(FIRST_OFFER_TIMEOUT_MS * 2);
      for (const { heard } of all) for (const number of heard.splice(0)) upload(number)(600);
    }
    await settled();
    const before = total(all);
    clock.advance(FIRST_OFFER_TIMEOUT_MS * 2);
    await settled();
    assert.equal(total(all), before, 'offers lapsed before the children could answer');
  });

  it('does not wait for uploads to slow children', async () => {
    const all = listeners(2);
    await settled();
    for (const { heard } of all) for (const number of heard) upload(number);
    clock.advance(MAX_PACED_UPLOAD_MS);
    await settled();
    assert.ok(total(all) > MIN_PACED_UPLOADS);
  });

  it('ends the wait of a child that leaves, and holds no timer in the end', async () => {
    const all = listeners(3);
    await settled();
    for (const each of all) each.leave();
    clock.advance(MAX_OFFER_TIMEOUT_MS + OFFER_MEMORY_MS);
    await settled();
    assert.equal(clock.pendingTimers, 0);
  });

  /** Everything that can go on without time passing has gone on. */
  async function settled(): Promise<void> {
    for (let turn = 0; turn < 200; turn++) {
      await Promise.resolve();
      clock.advance(0);
    }
  }
});
