import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DfpeerError } from '../../src/core/errors.js';
import { DEFAULT_FILTERED_QUERY_PARAMS } from '../../src/core/signing-query-params.js';
import { blobDigestOf, computeTaskId, isTaskId, normaliseUrl, parseTaskId } from '../../src/core/task-id.js';

describe('task id', () => {
  // Computed by Dragonfly's own client (docs/WIRE.md 5.5).
  const vectors: [Parameters<typeof computeTaskId>[0], string][] = [
    [
      { url: 'https://example.com', tag: 'foo', application: 'bar', pieceLength: 1024, revision: 'v1.0' },
      '5844f27a257287e9b734256bb25603d8005422ced8c0377f15063ec11963b25f',
    ],
    [
      { url: 'https://example.com', tag: 'foo', application: 'bar' },
      '06408fbf247ddaca478f8cb9565fe5591c28efd0994b8fea80a6a87d3203c5ca',
    ],
    [
      { url: 'https://example.com', pieceLength: 1024 },
      '9f7c9aafbc6f30f8f41a96ca77eeae80c5b60964b3034b0ee43ccf7b2f9e52b8',
    ],
    [
      { url: 'https://example.com?foo=foo&bar=bar', filteredQueryParams: ['foo', 'bar'] },
      '457b4328cde278e422c9e243f7bfd1e97f511fec43a80f535cf6b0ef6b086776',
    ],
    [
      { url: 'ignored', contentForCalculatingTaskId: 'This is a test file' },
      'e2d0fe1585a63ec6009c8016ff8dda8b17719a637405a4e23c0ff81339148249',
    ],
  ];
  for (const [identity, id] of vectors)
    it(`of ${JSON.stringify(identity)} is Dragonfly's`, () => assert.equal(computeTaskId(identity), id));

  it('is the blob digest of a registry URL where that is asked for', () => {
    const digest = 'ab'.repeat(32);
    const url = `https://registry.example.com/v2/library/x/blobs/sha256:${digest}?ns=docker.io`;
    assert.equal(computeTaskId({ url, enableTaskIdBasedBlobDigest: true }), digest);
    assert.notEqual(computeTaskId({ url }), digest);
  });

  it('is found in a registry URL as Dragonfly’s pattern finds it', () => {
    const digest = 'cd'.repeat(32);
    const part = fc.constantFrom('://', '/v2/', '/blobs/', '?', ':', 'sha256:', digest, 'x', '/');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const url = parts.join('');
        const found = /^.*:\/\/.*\/v2\/.*\/blobs\/([^?]+)(?:\?.*)?$/.exec(url)?.[1]?.split(':').at(-1);
        assert.equal(blobDigestOf(url), found !== undefined && isTaskId(found) ? found : undefined, url);
      }),
      { numRuns: 2000 },
    );
  });

  it('is found before a query that looks like another blob', () => {
    const digest = 'cd'.repeat(32);
    assert.equal(blobDigestOf(`http://e.com/v2/x/blobs/${digest}?ns=/v2/y/blobs/`), digest);
    assert.equal(blobDigestOf(`http://e.com/v2/x/blobs/${digest}?ns=/v2/y/blobs/?`), digest);
  });

  it('is found in one go, however hostile the URL', () => {
    const [parts, slashes] = ['/v2/'.repeat(100_000), '/'.repeat(500_000)];
    assert.equal(blobDigestOf(`http://h/${'://'.repeat(100_000)}${parts}${'/blobs/?'.repeat(100_000)}`), undefined);
    assert.equal(normaliseUrl(`http://h/#${slashes}x/`, []), `http://h/#${slashes}x`);
  });

  const urls: [string, string[], string][] = [
    ['http://10.213.0.1:9980/200m.bin', [], 'http://10.213.0.1:9980/200m.bin'],
    [
      'https://Example.COM:443/a b/../c?x=1&Signature=z&y=a%20b+c#frag',
      ['Signature'],
      'https://example.com/c?x=1&y=a+b+c#frag',
    ],
    ['https://example.com/?q=', [], 'https://example.com/?q='],
    ['http://e.com/p?b=2&a=1', ['a', 'b'], 'http://e.com/p'],
    ['http://e.com/p?', [], 'http://e.com/p'],
    ['http://e.com/p?#frag', [], 'http://e.com/p#frag'],
    ['http://e.com/?', ['a'], 'http://e.com'],
    ["http://e.com/?~=*-_.!'()", [], 'http://e.com/?%7E=*-_.%21%27%28%29'],
    ['http://user:pw@e.com/', [], 'http://user:pw@e.com'],
    ['http://e.com/d/', [], 'http://e.com/d/'],
    ['http://e.com/%7Efoo/ü?k=ü', [], 'http://e.com/%7Efoo/%C3%BC?k=%C3%BC'],
  ];
  for (const [url, filter, normal] of urls)
    it(`counts ${url} as ${normal}`, () => assert.equal(normaliseUrl(url, filter), normal));

  it('has the thirty default filters of dfget, each once', () => {
    assert.equal(DEFAULT_FILTERED_QUERY_PARAMS.length, 30);
    assert.equal(new Set(DEFAULT_FILTERED_QUERY_PARAMS).size, 30);
    for (const name of ['X-Amz-Signature', 'X-Goog-Date', 'q-sign-algorithm', 'q-signature', 'ns'])
      assert.ok(DEFAULT_FILTERED_QUERY_PARAMS.includes(name));
  });

  it('is refused unless it is 64 hex digits: no path, no short one', () => {
    const refused = (text: string): void => {
      assert.equal(isTaskId(text), false);
      assert.throws(
        () => parseTaskId(text),
        (error) => error instanceof DfpeerError && error.code === 'DFP_INVALID_ARGUMENT',
      );
    };
    for (const text of [
      '',
      'ab',
      '../../etc/passwd',
      'A'.repeat(64),
      'g'.repeat(64),
      'a'.repeat(63),
      'a'.repeat(65),
      `${'a'.repeat(64)}\n`,
    ])
      refused(text);
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (text) => {
        fc.pre(!/^[0-9a-f]{64}$/.test(text));
        refused(text);
      }),
    );
  });
});
