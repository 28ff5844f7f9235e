import assert from 'node:assert/strict';
import { describeConnectionTrouble } from '../../../src/peer/fetch/origin/connection-trouble.js';

function errorOf(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

describe('the trouble of a connection', () => {
  it("is told in plain words, and in the system's", () => {
    assert.equal(
      describeConnectionTrouble(errorOf('getaddrinfo ENOTFOUND nowhere.invalid', 'ENOTFOUND')),
      "no host has this name; check the URL, and DNS on the daemon's host (getaddrinfo ENOTFOUND nowhere.invalid)",
    );
  });

  for (const [code, remedy] of [
    ['CERT_HAS_EXPIRED', /must renew it, or the clock/],
    ['CERT_NOT_YET_VALID', /check the clock of the daemon's host/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /ask for it by one that/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /update-ca-certificates.*backend\.caCert/],
  ] as const)
    it(`of a certificate says what to do (${code})`, () => {
      assert.match(describeConnectionTrouble(errorOf('said OpenSSL', code)), remedy);
    });

  it('takes one line, whatever OpenSSL says', () => {
    const text =
      'C0964B69DC7F0000:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/ssl3_record.c:350:\n';
    assert.equal(
      describeConnectionTrouble(errorOf(text, 'ERR_SSL_WRONG_VERSION_NUMBER')),
      'it does not speak TLS; is it http://? (wrong version number)',
    );
    assert.equal(describeConnectionTrouble(errorOf('a\n  b\n', 'EPROTO')), 'a b');
  });

  it('is that of the first address where there are several', () => {
    const both = new AggregateError([errorOf('connect ECONNREFUSED ::1:1', 'ECONNREFUSED'), new Error('other')]);
    assert.match(describeConnectionTrouble(both), /^nobody listens there.*\(connect ECONNREFUSED ::1:1\)$/);
  });

  it('of an unknown kind keeps its own words', () => {
    assert.equal(describeConnectionTrouble(new Error('other side closed')), 'other side closed');
    assert.equal(describeConnectionTrouble(errorOf('', 'EWHAT')), 'EWHAT');
  });
});
