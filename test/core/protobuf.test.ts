import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MessageWriter, payloadsOf } from '../../src/core/protobuf.js';

describe('the protobuf field reader', () => {
  it('reads any bytes or throws a RangeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 1, max: 15 }), (bytes, number) => {
        try {
          payloadsOf(Buffer.from(bytes), number);
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('finds a field behind fields of every other wire type', () => {
    const others = Buffer.from([0x08, 0x96, 0x01, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1d, 1, 2, 3, 4]);
    const message = Buffer.concat([others, new MessageWriter().text(900, 'found').finish()]);
    assert.deepEqual(payloadsOf(message, 900), [Buffer.from('found')]);
  });
});
