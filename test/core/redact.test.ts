import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DfpeerError } from '../../src/core/errors.js';
import { MAX_REDACT_ENTRIES, redactFields, redactText, redactUrl } from '../../src/core/redact.js';
import { DEFAULT_FILTERED_QUERY_PARAMS } from '../../src/core/signing-query-params.js';

describe('redactUrl', () => {
  const cases: [url: string, redacted: string][] = [
    ['https://e.org/f?part=7&x=y#top', 'https://e.org/f?part=7&x=y#top'],
    ['https://me:pw@e.org/f', 'https://e.org/f'],
    ['https://token@e.org/f', 'https://e.org/f'],
    ['http://a@b@c@e.org:80/f', 'http://e.org:80/f'],
    ['https://e.org/@scope/f', 'https://e.org/@scope/f'],
    ['https://e.org/f?a=1&X-Amz-Signature=s&b=2', 'https://e.org/f?a=1&X-Amz-Signature=redacted&b=2'],
    ['https://e.org/f?x-amz-SIGNATURE=s', 'https://e.org/f?x-amz-SIGNATURE=redacted'],
    ['https://e.org/f?my%5Ftoken=s', 'https://e.org/f?my%5Ftoken=redacted'],
    ['https://e.org/f?to%6Ben=s', 'https://e.org/f?to%6Ben=redacted'],
    ['https://e.org/f?sig=a/b?c', 'https://e.org/f?sig=redacted'],
    ['https://e.org/f#access_token=s', 'https://e.org/f#access_token=redacted'],
    ['https://e.org/f?%zz=1&api-key=s', 'https://e.org/f?%zz=1&api-key=redacted'],
    ['https://e.org/f;v=1?token=s', 'https://e.org/f;v=1?token=redacted'],
    ['https://e.org/f?a=1;token=s&b=2', 'https://e.org/f?a=1;token=redacted&b=2'],
    ['https://e.org/f?a=b?token=s;t#top', 'https://e.org/f?a=b?token=redacted#top'],
    ['https://e.org/f?sign=s&jwt=s&design=x', 'https://e.org/f?sign=redacted&jwt=redacted&design=x'],
    ['https://mirror.org/https://me:pw@e.org/f', 'https://mirror.org/https://e.org/f'],
    ['https://e.org/f?next=http://me:pw@e.org/', 'https://e.org/f?next=http://e.org/'],
    ['https://me:p/w@e.org/f', 'https://e.org/f'],
    ['https://me:p?w#@e.org/f', 'https://e.org/f'],
    ['https://e.org:8080/a:b@c/f', 'https://e.org:8080/a:b@c/f'],
    ['https://[::1]:8080/a@b', 'https://[::1]:8080/a@b'],
    ['not a url', 'not a url'],
  ];
  for (const [url, redacted] of cases) it(`${url} → ${redacted}`, () => assert.equal(redactUrl(url), redacted));

  it('drops the value of every default filtered parameter', () => {
    for (const name of DEFAULT_FILTERED_QUERY_PARAMS)
      assert.doesNotMatch(redactUrl(`https://e.org/f?${name}=hunter2`), /hunter2/, name);
  });

  it('never lets user, password or a signing value through, and keeps the rest', () =>
    fc.assert(
      fc.property(
        fc.webUrl({ withQueryParameters: true }),
        fc.stringMatching(/^[A-Za-z0-9!$'()*+,;:@%._~-]{1,20}$/),
        fc.constantFrom(...DEFAULT_FILTERED_QUERY_PARAMS, 'access_token', 'sig', 'client_secret'),
        (url, secret, name) => {
          const marked = `QQQ${secret}QQQ`;
          const base = url.split('?')[0] ?? url;
          const secretive = `${base.replace('://', () => `://me:${marked}@`)}?keep=1&${name}=${marked}`;
          const redacted = redactUrl(secretive);
          assert.ok(!redacted.includes('QQQ'), redacted);
          assert.ok(redacted.startsWith(base) && redacted.includes('keep=1'), redacted);
        },
      ),
    ));
});

describe('redactText', () => {
  it('finds URLs and credential headers in sentences', () => {
    assert.equal(
      redactText('GET https://u:p@e.org/f?token=s failed, see "http://x/?sig=s"'),
      'GET https://e.org/f?token=redacted failed, see "http://x/?sig=redacted"',
    );
    assert.equal(redactText('Authorization: Bearer abc def\nnext'), 'Authorization: redacted\nnext');
    assert.equal(redactText('cookie=a=b; c=d'), 'cookie=redacted');
    assert.equal(redactText('no secrets here'), 'no secrets here');
  });
});

describe('redactFields', () => {
  it('replaces secret fields at any depth, in any case', () => {
    const fields = {
      headers: { AUTHORIZATION: 's', 'proxy-authorization': 's', 'Set-Cookie': ['s'], accept: 'x' },
      basicAuth: { username: 'u', password: 's' },
      list: [{ secretKey: 's' }],
      'X-Auth-Token': 's',
      token: 's',
      tokens: 5,
    };
    assert.deepEqual(redactFields(fields), {
      headers: { AUTHORIZATION: 'redacted', 'proxy-authorization': 'redacted', 'Set-Cookie': 'redacted', accept: 'x' },
      basicAuth: { username: 'u', password: 'redacted' },
      list: [{ secretKey: 'redacted' }],
      'X-Auth-Token': 'redacted',
      token: 'redacted',
      tokens: 5,
    });
  });

  it('keeps an error’s code, message, stack and cause', () => {
    const error = Object.assign(new Error('GET http://e/?sig=s', { cause: new Error('ECONNRESET') }), {
      code: 'DFP_X',
    });
    const redacted = redactFields({ err: error }) as { err: Record<string, unknown> };
    assert.equal(redacted.err.code, 'DFP_X');
    assert.equal(redacted.err.message, 'GET http://e/?sig=redacted');
    assert.equal((redacted.err.cause as { message: string }).message, 'ECONNRESET');
    assert.match(String(redacted.err.stack), /redact\.test/);
  });

  it('leaves out the stacks of errors that a code explains, and keeps those of bugs beneath them', () => {
    const [errno, status, bug] = [
      Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
      Object.assign(new Error('14 UNAVAILABLE'), { code: 14 }),
      new TypeError('no function'),
    ];
    for (const cause of [errno, status, bug]) {
      const error = new DfpeerError('DFP_SCHEDULER_UNREACHABLE', 'nobody listens', { cause });
      const redacted = redactFields(error) as { stack?: string; cause: { stack?: string } };
      assert.deepEqual([redacted.stack, redacted.cause.stack !== undefined], [undefined, cause === bug]);
    }
    assert.match(String((redactFields(new DfpeerError('DFP_INTERNAL', 'a bug')) as Error).stack), /redact\.test/);
  });

  it('takes anything: cycles, buffers, maps, big numbers, throwing toJSON', () => {
    const cycle: Record<string, unknown> = {
      big: 10n,
      buffer: Buffer.alloc(9),
      map: new Map([['a', 1]]),
      set: new Set([1]),
    };
    cycle.self = cycle;
    cycle.bad = {
      toJSON: () => {
        throw new Error('no');
      },
    };
    const redacted = redactFields(cycle) as Record<string, unknown>;
    assert.deepEqual(
      [redacted.big, redacted.buffer, redacted.map, redacted.set, redacted.bad],
      ['10', '9 bytes', { a: 1 }, [1], '…'],
    );
    assert.ok(JSON.stringify(redacted).length < 10_000);
    const many = redactFields(Array.from({ length: 10_000 }, (_, index) => index));
    assert.equal((many as number[]).length, MAX_REDACT_ENTRIES);
  });
});
