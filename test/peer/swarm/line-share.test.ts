import assert from 'node:assert/strict';
import type { UploadWait } from '../../../src/upload/index.js';
import { Socket } from 'node:net';
import { FAST_LINE, HEADROOM, LineShare, SHARE_INTERVAL_MS } from '../../../src/peer/swarm/line-share.js';
import { UNSENT_LIMIT_BYTES } from '../../../src/upload/index.js';
import { ManualClock } from '../../support/manual-clock.js';

const LINE = 12_500_000;
const STRANGER = '10.0.0.99';

/** An upload that sends as fast as it is let, up to what its client takes. */
class FakeUpload {
  bytesSent = UNSENT_LIMIT_BYTES;
  waitingFor: UploadWait = 'client';
  ceiling: number | undefined;
  readonly socket = new Socket();
  readonly #end: (outcome: never) => void;

  constructor(share: LineShare, childIp = '10.0.0.1') {
    const spec = { task: { taskId: 'a'.repeat(64) }, childIp, socket: this.socket };
    this.#end = share.onUpload(spec as unknown as Parameters<LineShare['onUpload']>[0], this);
  }

  end(): void {
    this.#end({ bytesSent: this.bytesSent } as never);
  }
}

describe('the share of a line', () => {
  let clock: ManualClock;
  let uploads: FakeUpload[];
  let share: LineShare;

  beforeEach(() => {
    clock = new ManualClock();
    uploads = [];
    share = new LineShare({
      clock,
      isPeer: (_, ip) => ip !== STRANGER,
      setCeiling: (socket, bytesPerSecond) => {
        const upload = uploads.find((each) => each.socket === socket);
        if (upload !== undefined) upload.ceiling = bytesPerSecond;
      },
    });
  });

  function start(count: number, childIp?: string): FakeUpload[] {
    const started = Array.from({ length: count }, () => new FakeUpload(share, childIp));
    uploads.push(...started);
    return started;
  }

  /** Each in turn takes what it wants of what the line and its ceiling leave. */
  function run(ms: number, line: number, wants: (index: number) => number = () => Infinity): void {
    for (let elapsedMs = 0; elapsedMs < ms; elapsedMs += SHARE_INTERVAL_MS) {
      let left = (line * SHARE_INTERVAL_MS) / 1000;
      for (const [index, upload] of uploads.entries()) {
        const rate = Math.min(wants(index), upload.ceiling ?? Infinity);
        const bytes = Math.min(left, (rate * SHARE_INTERVAL_MS) / 1000);
        upload.bytesSent += bytes;
        left -= bytes;
      }
      clock.advance(SHARE_INTERVAL_MS);
    }
  }

  it('leaves none of several uploads more than its share and some headroom, once it is known what the line carries', () => {
    const four = start(4);
    assert.ok(four.every(({ ceiling }) => ceiling === undefined));
    run(8000, LINE);
    for (const { ceiling } of four) assert.ok(Math.abs((ceiling ?? 0) / ((HEADROOM * LINE) / 4) - 1) < 0.05);
    const before = four.map(({ bytesSent }) => bytesSent);
    run(2000, LINE);
    const sent = four.map(({ bytesSent }, index) => bytesSent - (before[index] ?? 0));
    assert.ok(Math.min(...sent) > 0, 'the first ones leave nothing to the last one');
  });

  it('follows who comes and goes at once, and lifts the ceiling for one alone', () => {
    const [first, second, third] = start(3);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    run(2000, LINE);
    const ofThree = first.ceiling ?? 0;
    third.end();
    assert.equal(third.ceiling, undefined);
    assert.ok(Math.abs((first.ceiling ?? 0) / ofThree - 1.5) < 0.01);
    start(1);
    assert.equal(first.ceiling, ofThree);
    uploads.at(-1)?.end();
    second.end();
    assert.equal(first.ceiling, undefined);
  });

  it('counts what those sent that have ended since it looked last', () => {
    for (let turn = 0; turn < 80; turn++) {
      const ended = uploads.splice(0);
      start(4);
      for (const upload of ended) {
        upload.bytesSent = (LINE * SHARE_INTERVAL_MS) / 1000 / 4;
        upload.end();
      }
      clock.advance(SHARE_INTERVAL_MS);
    }
    for (const { ceiling } of uploads) assert.ok(Math.abs((ceiling ?? 0) / ((HEADROOM * LINE) / 4) - 1) < 0.05);
  });

  it('finds out that the line carries more', () => {
    start(4);
    run(2000, LINE);
    run(5000, 10 * LINE);
    const total = uploads.reduce((sum, { ceiling }) => sum + (ceiling ?? Infinity), 0);
    assert.ok(total > 10 * LINE);
  });

  it('leaves what waits for its piece out of the account, and takes the line for no slower or faster by it', () => {
    const four = start(4);
    run(8000, LINE);
    for (const upload of four.slice(2)) upload.waitingFor = 'piece';
    run(SHARE_INTERVAL_MS, LINE, (index) => (index < 2 ? Infinity : 0));
    const ceilings = (): number[] => four.slice(0, 2).map(({ ceiling }) => (ceiling ?? Infinity) / (HEADROOM * LINE));
    for (const share of ceilings()) assert.ok(Math.abs(share - 1 / 2) < 0.05, String(share));
    for (const upload of four.slice(1)) upload.waitingFor = 'piece';
    run(2000, LINE, (index) => (index < 1 ? LINE / 10 : 0));
    for (const upload of four) upload.waitingFor = 'client';
    run(SHARE_INTERVAL_MS, LINE);
    for (const share of ceilings()) assert.ok(Math.abs(share - 1 / 4) < 0.05, String(share));
  });

  it('lets a quick client have what slow ones leave', () => {
    const [quick] = start(20);
    assert.ok(quick !== undefined);
    run(2000, LINE);
    run(3000, LINE, (index) => (index === 0 ? Infinity : 1000));
    const before = quick.bytesSent;
    run(10_000, LINE, (index) => (index === 0 ? Infinity : 1000));
    assert.ok((quick.bytesSent - before) / 10 > 0.6 * LINE);
  });

  it('leaves clients alone that are no peers, lines that are fast, and forgets who is gone', () => {
    const strangers = start(4, STRANGER);
    run(2000, LINE);
    assert.ok(strangers.every(({ ceiling }) => ceiling === undefined));
    assert.equal(clock.pendingTimers, 0);
    uploads.length = 0;
    const peers = start(4);
    run(10_000, 2 * FAST_LINE);
    assert.ok(peers.every(({ ceiling }) => ceiling === undefined));
    for (const each of peers) each.end();
    clock.advance(SHARE_INTERVAL_MS);
    assert.equal(clock.pendingTimers, 0);
  });

  it('looks again when somebody comes after all have gone, with one timer for all', () => {
    for (let turn = 0; turn < 2; turn++) {
      const several = start(3);
      assert.equal(clock.pendingTimers, 1);
      for (const each of several) each.end();
      clock.advance(SHARE_INTERVAL_MS);
      assert.equal(clock.pendingTimers, 0);
    }
  });
});
