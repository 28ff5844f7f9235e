import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseContentRange, parseRangeHeader } from '../../src/core/byte-range.js';

describe('Range header', () => {
  const cases: [string | undefined, number, ReturnType<typeof parseRangeHeader>][] = [
    [undefined, 10, { kind: 'none' }],
    ['bytes=0-0', 10, { kind: 'range', range: { offset: 0, length: 1 } }],
    ['bytes=2-5', 10, { kind: 'range', range: { offset: 2, length: 4 } }],
    ['bytes=2-', 10, { kind: 'range', range: { offset: 2, length: 8 } }],
    ['bytes=2-99', 10, { kind: 'range', range: { offset: 2, length: 8 } }],
    ['bytes=-3', 10, { kind: 'range', range: { offset: 7, length: 3 } }],
    ['bytes=-30', 10, { kind: 'range', range: { offset: 0, length: 10 } }],
    ['Bytes = 1 - 2', 10, { kind: 'range', range: { offset: 1, length: 2 } }],
    ['bytes=10-', 10, { kind: 'unsatisfiable' }],
    ['bytes=-0', 10, { kind: 'unsatisfiable' }],
    ['bytes=0-0', 0, { kind: 'unsatisfiable' }],
    ['bytes=-5', 0, { kind: 'unsatisfiable' }],
    ['bytes=5-2', 10, { kind: 'none' }],
    ['bytes=-', 10, { kind: 'none' }],
    ['bytes=0-1,3-4', 10, { kind: 'none' }],
    ['items=0-1', 10, { kind: 'none' }],
    ['bytes=0-99999999999999999999999', 10, { kind: 'range', range: { offset: 0, length: 10 } }],
    ['bytes=99999999999999999999999-', 10, { kind: 'unsatisfiable' }],
  ];
  for (const [header, length, parsed] of cases)
    it(`${String(header)} of ${length} bytes`, () => assert.deepEqual(parseRangeHeader(header, length), parsed));

  it('is read in one go, however many blanks are in it', () => {
    const blanks = ' '.repeat(1024 * 1024);
    for (const text of [`bytes=0-${blanks}x`, `bytes=${blanks}x`, `bytes=0${blanks}x`, `bytes${blanks}x`])
      assert.deepEqual(parseRangeHeader(text, 10), { kind: 'none' });
    assert.deepEqual(parseRangeHeader(`bytes=1${blanks}-${blanks}2${blanks}`, 10).kind, 'range');
  });

  it('never leaves the content, whatever is sent', () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^bytes=\d{0,20}-\d{0,20}$/));
    fc.assert(
      fc.property(texts, fc.nat(), (header, contentLength) => {
        const parsed = parseRangeHeader(header, contentLength);
        if (parsed.kind !== 'range') return;
        assert.ok(parsed.range.offset >= 0 && parsed.range.length > 0);
        assert.ok(parsed.range.offset + parsed.range.length <= contentLength);
      }),
    );
  });
});

describe('Content-Range header', () => {
  it('is read only when it can be true', () => {
    assert.deepEqual(parseContentRange('bytes 0-0/10'), { offset: 0, length: 1, contentLength: 10 });
    assert.deepEqual(parseContentRange('bytes 5-9/*'), { offset: 5, length: 5, contentLength: undefined });
    for (const header of [
      undefined,
      '',
      'bytes */10',
      'bytes 5-4/10',
      'bytes 5-10/10',
      'bytes 0-99999999999999999/*',
      'items 0-1/2',
    ])
      assert.equal(parseContentRange(header), undefined);
  });
});
