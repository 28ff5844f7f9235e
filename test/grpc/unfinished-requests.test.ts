import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import { MAX_UNFINISHED_REQUEST_BYTES, UnfinishedRequests } from '../../src/grpc/unfinished-requests.js';
import { ManualClock } from '../support/manual-clock.js';

const MIB = 1024 * 1024;

class FakeStream extends EventEmitter {
  isEnded = false;

  close(): void {
    this.isEnded = true;
  }
}

describe('what servers hold of unfinished requests', () => {
  let requests: UnfinishedRequests;

  beforeEach(() => (requests = new UnfinishedRequests(new ManualClock())));

  function begin(): FakeStream {
    const stream = new FakeStream();
    requests.watch(stream as unknown as ServerHttp2Stream, { isStreaming: false });
    stream.emit('data', Buffer.alloc(MIB));
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
});
