import assert from 'node:assert/strict';
import {
  MAX_READ_BATCH_BYTES,
  MAX_READ_BATCH_WAIT_MS,
  ReadBatching,
} from '../../../src/peer/fetch/connection/read-batching.js';
import { ManualClock } from '../../support/manual-clock.js';

const KIB = 1024;
const MUCH = 4096 * KIB;

describe('reading in batches', () => {
  let clock: ManualClock;
  let told: number[];
  let batching: ReadBatching;

  beforeEach(() => {
    clock = new ManualClock();
    told = [];
    batching = new ReadBatching((bytes) => told.push(bytes), clock);
  });

  function read(bytes: number, afterMs: number, missing = MUCH): void {
    clock.advance(afterMs);
    batching.read(bytes, missing);
  }

  it('waits for as much as the speed so far brings soon, in powers of two', () => {
    read(8 * KIB, 0);
    read(8 * KIB, 10);
    read(64 * KIB, 60);
    read(256 * KIB, 50);
    assert.deepEqual(told, [64 * KIB, MAX_READ_BATCH_BYTES]);
  });

  it('leaves a slow connection alone', () => {
    read(1 * KIB, 0);
    for (let turn = 0; turn < 5; turn++) read(1 * KIB, 10);
    assert.deepEqual(told, []);
    assert.equal(clock.pendingTimers, 0);
  });

  it('never waits for more than is certain to come', () => {
    read(64 * KIB, 0);
    read(64 * KIB, 1, 20_001);
    read(20_000, 1, 1);
    read(1, 1, 0);
    assert.deepEqual(told, [20_001, 1]);
  });

  it('knows no speed at the first read of an answer: the time before it was not for bytes', () => {
    read(64 * KIB, 0, 0);
    read(64 * KIB, 1);
    assert.deepEqual(told, []);
  });

  it('takes what there is when the rest of a batch is late', () => {
    read(64 * KIB, 0);
    read(64 * KIB, 1);
    // The timer of the first wait must not end the second one early.
    read(256 * KIB, MAX_READ_BATCH_WAIT_MS / 2);
    clock.advance(MAX_READ_BATCH_WAIT_MS - 1);
    assert.deepEqual(told, [MAX_READ_BATCH_BYTES]);
    clock.advance(1);
    assert.deepEqual(told, [MAX_READ_BATCH_BYTES, 1]);
    assert.equal(clock.pendingTimers, 0);
  });

  it('does so each time, with one timer however many reads there are', () => {
    for (let turn = 0; turn < 3; turn++) {
      for (let reads = 0; reads < 4; reads++) read(256 * KIB, 1);
      assert.equal(clock.pendingTimers, 1);
      clock.advance(MAX_READ_BATCH_WAIT_MS);
      assert.equal(told.at(-1), 1);
    }
  });

  it('has nothing under way once closed', () => {
    read(64 * KIB, 0);
    read(64 * KIB, 1);
    batching.close();
    assert.equal(clock.pendingTimers, 0);
    clock.advance(10 * MAX_READ_BATCH_WAIT_MS);
    assert.deepEqual(told, [MAX_READ_BATCH_BYTES]);
  });
});
