import assert from 'node:assert/strict';
import { PieceSet } from '../../../src/core/piece-set.js';
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

  async listen(pieces: number): Promise<void> {
    for (let piece = 0; piece < pieces; piece++) {
      const number = await this.child.next(() => piece, this.#controller.signal);
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

  function listeners(count: number): Listener[] {
    const all = Array.from({ length: count }, (_, index) => new Listener(pacing, `10.0.0.${index + 1}`));
    for (const each of all) void each.listen(100);
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

  it('serves the child that has least first', async () => {
    const [rich, poor] = listeners(2);
    await settled();
    const before = poor?.heard.length ?? 0;
    const ends = [upload(0, '10.0.0.1', String(PieceSet.of(100, (number) => number < 50)))];
    for (let number = 1; number < MIN_PACED_UPLOADS; number++) ends.push(upload(number));
    for (const each of [rich, poor]) each?.heard.splice(0);
    clock.advance(MAX_OFFER_TIMEOUT_MS);
    await settled();
    ends[0]?.(1000);
    await settled();
    assert.ok(before > 0 && (poor?.heard.length ?? 0) >= (rich?.heard.length ?? 0));
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
});

/** Everything that can go on without time passing has gone on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
}
