import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import {
  MAX_UNFINISHED_REQUEST_BYTES,
  REQUEST_TIMEOUT_MS,
  UnfinishedRequests,
} from '../../src/grpc/unfinished-requests.js';
import { ManualClock } from '../support/manual-clock.js';

const MIB = 1024 * 1024;

class FakeStream extends EventEmitter {
  isEnded = false;

  close(): void {
    this.isEnded = true;
  }
}

describe('what servers hold of unfinished requests', () => {
  let clock: ManualClock;
  let requests: UnfinishedRequests;

  beforeEach(() => {
    clock = new ManualClock();
    requests = new UnfinishedRequests(clock);
  });

  function watch(isStreaming: boolean): FakeStream {
    const stream = new FakeStream();
    requests.watch(stream as unknown as ServerHttp2Stream, { isStreaming });
    return stream;
  }

  function begin(): FakeStream {
    const stream = watch(false);
    for (let half = 0; half < 2; half++) stream.emit('data', Buffer.alloc(MIB / 2));
    return stream;
  }

  it('is bounded: the oldest is ended to make room', () => {
    const streams = Array.from({ length: MAX_UNFINISHED_REQUEST_BYTES / MIB }, begin);
    assert.deepEqual(
      streams.map(({ isEnded }) => isEnded),
      streams.map((_, index) => index === 0),
    );
  });

  it('does not count what has been finished', () => {
    const waiting = begin();
    for (let count = 0; count < (2 * MAX_UNFINISHED_REQUEST_BYTES) / MIB; count++) begin().emit('end');
    assert.equal(waiting.isEnded, false);
  });

  it('ends a call that asks nothing in time, but no stream between two requests', () => {
    const [call, silent, stream] = [watch(false), watch(true), watch(true)];
    const [request, half] = [Buffer.from([0, 0, 0, 0, 1, 7]), Buffer.from([0, 0, 0])];
    for (const part of [request.subarray(0, 3), request.subarray(3)]) stream.emit('data', part);
    clock.advance(REQUEST_TIMEOUT_MS - 1);
    assert.equal(call.isEnded, false);
    clock.advance(1);
    assert.deepEqual([call.isEnded, silent.isEnded, stream.isEnded], [true, false, false]);
    stream.emit('data', half);
    clock.advance(REQUEST_TIMEOUT_MS);
    assert.deepEqual([silent.isEnded, stream.isEnded], [false, true]);
  });

  it('ends each in its time, with one timer for all', () => {
    const first = watch(false);
    clock.advance(REQUEST_TIMEOUT_MS / 2);
    const second = watch(false);
    assert.equal(clock.pendingTimers, 1);
    clock.advance(REQUEST_TIMEOUT_MS / 2);
    assert.deepEqual([first.isEnded, second.isEnded], [true, false]);
    assert.equal(clock.pendingTimers, 1);
    clock.advance(REQUEST_TIMEOUT_MS / 2);
    assert.equal(second.isEnded, true);
  });
});
