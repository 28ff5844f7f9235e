import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MessageWriter, payloadsOf } from '../../src/core/protobuf.js';
import { Scheduler } from '../../src/grpc/protos.js';
import { decodeIncoming, encodeOutgoing, MAX_ANSWER_FIELDS } from '../../src/scheduler-client/announce-codec.js';
import { capturedConversation } from './support/transcript.js';

const { responseSerialize } = Scheduler.service.AnnouncePeer;
const field = (number: number, payload: Uint8Array): Buffer => new MessageWriter().bytes(number, payload).finish();
const base = { hostId: 'h', taskId: 't', peerId: 'p' };

/** The candidates as they lie in an encoded reschedule request. */
function echoed(request: Buffer): Buffer[] {
  const [reschedule = Buffer.alloc(0)] = payloadsOf(request, 7);
  return payloadsOf(reschedule, 1);
}

describe('candidate parents on the wire', () => {
  it('go back byte for byte, with fields that this version does not know and lengths beyond safe integers', () => {
    const unknownField = field(1000, Buffer.from('from a newer scheduler'));
    // content_length (field 9 of the task) as "unknown": 2^64-1.
    const task = Buffer.from([0x48, ...Array.from({ length: 9 }, () => 0xff), 0x01]);
    const peer = Buffer.concat([field(1, Buffer.from('peer-1')), field(7, task), unknownField]);
    const response = field(2, field(1, peer));
    const { candidates } = decodeIncoming(response);
    assert.equal(candidates[0]?.peer.id, 'peer-1');
    const request = encodeOutgoing({
      message: base,
      reschedule: { candidates: candidates.map(({ bytes }) => bytes), description: 'why' },
    });
    assert.deepEqual(echoed(request), [peer]);
  });

  it('are not decoded when they are millions, or have millions of pieces', () => {
    const empty = (number: number): Buffer => Buffer.alloc(2 * MAX_ANSWER_FIELDS, Uint8Array.of(number * 8 + 2, 0));
    for (const candidates of [empty(1), field(1, empty(4))])
      assert.throws(() => decodeIncoming(field(2, candidates)), RangeError);
    const few = empty(1).subarray(0, 2 * 1000);
    assert.equal(decodeIncoming(field(2, few)).candidates.length, 1000);
  });

  it('of a real scheduler survive the round trip', () => {
    const lines = capturedConversation('one_corrupt_piece_then_reschedule_then_back_to_source');
    const answer = lines.find((line) => line.from === 'scheduler');
    assert.ok(answer?.from === 'scheduler');
    const { candidates } = decodeIncoming(responseSerialize(answer.message));
    const request = encodeOutgoing({
      message: base,
      reschedule: { candidates: candidates.map(({ bytes }) => bytes), description: '' },
    });
    const decoded = Scheduler.service.AnnouncePeer.requestDeserialize(request);
    assert.equal(decoded.request, 'reschedulePeerRequest');
    assert.deepEqual(
      decoded.reschedulePeerRequest?.candidateParents,
      candidates.map(({ peer }) => peer),
    );
    assert.equal(decoded.reschedulePeerRequest.description, undefined);
  });

  it('may be none, and any number of any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), fc.string(), (candidates, description) => {
        const request = encodeOutgoing({ message: base, reschedule: { candidates, description } });
        assert.deepEqual(
          echoed(request),
          candidates.map((bytes) => Buffer.from(bytes)),
        );
      }),
    );
  });
});
