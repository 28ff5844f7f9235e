import assert from 'node:assert/strict';
import { Metadata } from '@grpc/grpc-js';
import fc from 'fast-check';
import { DfpeerError } from '../../../src/core/errors.js';
import { UMASK_KEY } from '../../../src/grpc/metadata-keys.js';
import { readOutputMode } from '../../../src/peer/grpc/download-message.js';

describe('the permissions of an output, from the umask that a client tells', () => {
  function withUmask(text: string): Metadata {
    const metadata = new Metadata();
    metadata.set(UMASK_KEY, text);
    return metadata;
  }

  it('are what it leaves of a new file’s', () => {
    for (const [umask, mode] of [
      ['0', 0o666],
      ['22', 0o644],
      ['0022', 0o644],
      ['077', 0o600],
      ['777', 0],
    ] as const)
      assert.equal(readOutputMode(withUmask(umask)), mode, umask);
  });

  it('are the daemon’s when there is none', () => {
    assert.equal(readOutputMode(new Metadata()), undefined);
  });

  it('never allow more than a new file may, nor to run it, whatever is sent', () => {
    const text = fc.oneof(fc.string({ unit: 'grapheme-ascii' }), fc.stringMatching(/^[0-9a-f]{0,6}$/));
    fc.assert(
      fc.property(text, (sent) => {
        try {
          const mode = readOutputMode(withUmask(sent));
          assert.ok(mode !== undefined && (mode & ~0o666) === 0, String(mode));
        } catch (error) {
          assert.ok(error instanceof DfpeerError && error.code === 'DFP_INVALID_ARGUMENT', String(error));
        }
      }),
    );
  });
});
