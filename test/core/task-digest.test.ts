import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createDigestHasher } from '../../src/core/digest-hasher.js';
import { formatTaskDigest, parseTaskDigest } from '../../src/core/task-digest.js';

describe('task digest', () => {
  it('takes SHA-256, SHA-512 and CRC-32 in the forms of the wire', () => {
    assert.equal(formatTaskDigest(parseTaskDigest(`SHA256:${'AB'.repeat(32)}`)), `sha256:${'ab'.repeat(32)}`);
    assert.equal(parseTaskDigest(`sha512:${'0'.repeat(128)}`).algorithm, 'sha512');
    assert.equal(formatTaskDigest(parseTaskDigest('crc32:0000012345')), 'crc32:12345');
    assert.equal(parseTaskDigest('crc32:4294967295').value, '4294967295');
  });

  it('refuses other algorithms and lengths', () => {
    for (const text of [
      '',
      'md5:d41d8cd98f00b204e9800998ecf8427e',
      'sha256:ab',
      'crc32:4294967296',
      'crc32:abc',
      `sha256:${'ab'.repeat(32)}0`,
    ])
      assert.throws(() => parseTaskDigest(text), /not a digest/);
  });

  it('is the same over chunks as over the whole', () => {
    for (const algorithm of ['sha256', 'sha512', 'crc32'] as const) {
      const [whole, parts] = [createDigestHasher(algorithm), createDigestHasher(algorithm)];
      whole.update(Buffer.from('test content'));
      for (const part of ['test', ' ', 'content']) parts.update(Buffer.from(part));
      assert.equal(whole.value(), parts.value());
    }
    const hasher = createDigestHasher('crc32');
    hasher.update(Buffer.from('test content'));
    assert.equal(hasher.value(), '1475635037');
    const sha = createDigestHasher('sha256');
    assert.equal(sha.value(), createHash('sha256').digest('hex'));
  });
});
