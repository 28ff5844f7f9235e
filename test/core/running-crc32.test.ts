import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { runningCrc32 } from '../../src/core/running-crc32.js';

describe('running CRC-32', () => {
  it('is that of the whole, however it is cut, empty parts included', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), (parts) => {
        const sum = parts.reduce((before, part) => runningCrc32(part, before), 0);
        assert.equal(sum, crc32(Buffer.concat(parts)));
      }),
    );
    // An undici body may hold such a chunk: no bytes and no memory.
    assert.equal(runningCrc32(new Uint8Array(), 12345), 12345);
  });
});
