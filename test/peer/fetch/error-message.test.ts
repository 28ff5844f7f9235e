import assert from 'node:assert/strict';
import { AbortedError, DeadlineError, DfpeerError, OriginError } from '../../../src/core/errors.js';
import { packError, unpackError } from '../../../src/peer/fetch/error-message.js';
import { isRetryable, ParentRefusedError, parseRetryAfterMs } from '../../../src/peer/fetch/fetch-errors.js';

describe('errors of fetch threads', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

  for (const error of [
    new DfpeerError('DFP_STALLED', 'no byte for 5 ms'),
    new DfpeerError('DFP_STORE_IO', 'cannot write', { cause }),
    new OriginError('DFP_ORIGIN_STATUS', 'answers 503', { status: 503, headers: { 'retry-after': '1' } }),
    new OriginError('DFP_ORIGIN_UNREACHABLE', 'cannot reach', {}, { cause }),
    new ParentRefusedError('refused', { status: 429, retryAfterMs: 1000 }),
    new DeadlineError('origin', 5),
    new AbortedError('a fetch'),
  ])
    it(`arrive as they left: ${error.name} ${error.code}`, () => {
      const arrived = unpackError(structuredClone(packError(error)));
      assert.equal(arrived.constructor, error.constructor);
      assert.deepEqual(Object.entries(arrived), Object.entries(error));
      assert.equal(arrived.message, error.message);
      assert.equal(isRetryable(arrived), isRetryable(error));
      const [before, after] = [error.cause, arrived.cause] as (Error | undefined)[];
      assert.equal(after?.message, before?.message);
      assert.deepEqual(Object.entries(after ?? {}), Object.entries(before ?? {}));
    });

  it('say that a bad certificate will not get better, and a refused connection may', () => {
    const unreachable = (code: string): OriginError =>
      new OriginError('DFP_ORIGIN_UNREACHABLE', 'x', {}, { cause: Object.assign(new Error(code), { code }) });
    assert.equal(isRetryable(unreachable('DEPTH_ZERO_SELF_SIGNED_CERT')), false);
    assert.equal(isRetryable(unreachable('ERR_TLS_CERT_ALTNAME_INVALID')), false);
    assert.equal(isRetryable(unreachable('CERT_HAS_EXPIRED')), false);
    assert.equal(isRetryable(unreachable('ECONNREFUSED')), true);
  });

  it('read Retry-After in seconds and as a date, and nothing else', () => {
    const now = Date.UTC(2024, 0, 1);
    assert.equal(parseRetryAfterMs('120', now), 120_000);
    assert.equal(parseRetryAfterMs('Mon, 01 Jan 2024 00:00:10 GMT', now), 10_000);
    assert.equal(parseRetryAfterMs('Sun, 31 Dec 2023 00:00:00 GMT', now), 0);
    for (const text of [undefined, '', '-1', '1.5', 'soon', '1e3'])
      assert.equal(parseRetryAfterMs(text, now), undefined);
  });
});
