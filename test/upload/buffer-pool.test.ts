import assert from 'node:assert/strict';
import { BufferPool, MIN_COPY_BUFFER_BYTES } from '../../src/upload/transfer/buffer-pool.js';

const KIB = 1024;
const MIB = 1024 * KIB;

describe('the buffers of copies', () => {
  it('are reused, and no smaller than wanted while there is memory', () => {
    const pool = new BufferPool(4 * MIB);
    const first = pool.acquire(60 * KIB);
    assert.equal(first.length, 64 * KIB);
    pool.release(first);
    assert.equal(pool.acquire(64 * KIB), first);
    assert.equal(pool.heldBytes, 64 * KIB);
  });

  it('are the smallest when all memory is in use, and never wanting', () => {
    const pool = new BufferPool(2 * MIB);
    const large = [pool.acquire(MIB), pool.acquire(MIB)];
    assert.equal(pool.acquire(MIB).length, MIN_COPY_BUFFER_BYTES);
    for (const buffer of large) pool.release(buffer);
    assert.ok(pool.heldBytes <= 2 * MIB, `${pool.heldBytes} bytes are kept`);
  });

  it('are counted, also those that are let go because too much is held', () => {
    const pool = new BufferPool(2 * MIB);
    const [first, second] = [pool.acquire(MIB), pool.acquire(MIB)];
    const least = pool.acquire(MIB);
    pool.release(first);
    const next = pool.acquire(MIB);
    assert.equal(pool.heldBytes, second.length + least.length + next.length);
  });

  it('give way to others while nobody uses them: after a fast time all that copy slowly get what they want alike', () => {
    const pool = new BufferPool(4 * MIB);
    const large = Array.from({ length: 4 }, () => pool.acquire(MIB));
    for (const buffer of large) pool.release(buffer);
    const sizes = Array.from({ length: 64 }, () => pool.acquire(64 * KIB).length);
    assert.deepEqual(new Set(sizes), new Set([64 * KIB]));
    assert.equal(pool.heldBytes, 4 * MIB);
  });
});
