import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  contentLengthOf,
  MAX_HEAD_BYTES,
  MAX_HEADERS,
  parseResponseHead,
  type ResponseHead,
  ResponseHeadParser,
} from '../../../src/peer/fetch/connection/http-response-head.js';
import { DfpeerError } from '../../../src/core/errors.js';
import { coded } from './support/fixtures.js';

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/);
const value = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/);
const headers = fc.uniqueArray(fc.tuple(name, value), { maxLength: 10, selector: ([key]) => key.toLowerCase() });
const status = fc.integer({ min: 100, max: 599 });

function format(code: number, fields: readonly (readonly [string, string])[]): string {
  return [`HTTP/1.1 ${code} Reason`, ...fields.map(([key, text]) => `${key}: ${text}`), '', ''].join('\r\n');
}

function parseInCuts(bytes: Buffer, cuts: readonly number[]): { head: ResponseHead; rest: Buffer } | undefined {
  const parser = new ResponseHeadParser();
  const marks = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])].sort((a, b) => a - b);
  for (const [index, from] of marks.slice(0, -1).entries()) {
    // A reused buffer, as in production: what the parser keeps must be its own.
    const chunk = Buffer.from(bytes.subarray(from, marks[index + 1]));
    const { head, consumed } = parser.push(chunk);
    chunk.fill(0);
    if (head !== undefined) return { head, rest: bytes.subarray(from + consumed) };
  }
  return undefined;
}

describe('the response head parser', () => {
  it('reads any well-formed head, however it is cut, and leaves the body alone', () => {
    fc.assert(
      fc.property(status, headers, fc.uint8Array({ maxLength: 50 }), fc.array(fc.nat()), (code, fields, body, cuts) => {
        const parsed = parseInCuts(Buffer.concat([Buffer.from(format(code, fields)), body]), cuts);
        assert.ok(parsed);
        assert.equal(parsed.head.status, code);
        assert.deepEqual(
          [...parsed.head.headers],
          fields.map(([key, text]) => [key.toLowerCase(), text]),
        );
        assert.deepEqual(parsed.rest, Buffer.from(body));
      }),
    );
  });

  it('takes as many headers as it says', () => {
    const fields = Array.from({ length: MAX_HEADERS }, (_, index) => `\r\nx-${index}: 1`);
    assert.equal(parseResponseHead(`HTTP/1.1 200 OK${fields.join('')}`).headers.size, MAX_HEADERS);
  });

  it('never does anything with arbitrary bytes but wait, parse, or refuse with a code', () => {
    const soup = fc.oneof(
      fc.uint8Array({ maxLength: 300, size: 'max' }),
      fc.string().map((text) => Buffer.from(`HTTP/1.1 200${text}\r\n\r\n`)),
    );
    fc.assert(
      fc.property(soup, fc.array(fc.nat(), { maxLength: 5 }), (bytes, cuts) => {
        if (bytes.length === 0) return;
        try {
          parseInCuts(Buffer.from(bytes), cuts);
        } catch (error) {
          assert.ok(error instanceof DfpeerError && error.code === 'DFP_PARENT_PROTOCOL', String(error));
        }
      }),
    );
  });

  for (const [what, text] of [
    ['a bare line feed', 'HTTP/1.1 206 ok\nA: b'],
    ['a folded header', 'HTTP/1.1 206 ok\r\nA: b\r\n c'],
    ['a space before the colon', 'HTTP/1.1 206 ok\r\nA : b'],
    ['a header twice', 'HTTP/1.1 206 ok\r\nContent-Length: 1\r\ncontent-length: 1'],
    ['a control character', 'HTTP/1.1 206 ok\r\nA: b\u0000'],
    ['another version', 'HTTP/2 206 ok'],
    ['a status of two digits', 'HTTP/1.1 20 ok'],
    [
      'too many headers',
      ['HTTP/1.1 206 ok', ...Array.from({ length: MAX_HEADERS + 1 }, (_, i) => `A${i}: b`)].join('\r\n'),
    ],
  ] as const)
    it(`refuses ${what}`, () => {
      assert.throws(() => parseResponseHead(text), coded('DFP_PARENT_PROTOCOL'));
    });

  it('refuses a head beyond its bound, also one that never ends', () => {
    const endless = Buffer.alloc(1000, 'x');
    const parser = new ResponseHeadParser();
    assert.throws(
      () => {
        for (let sent = 0; sent <= MAX_HEAD_BYTES; sent += endless.length) parser.push(endless);
      },
      coded('DFP_PARENT_PROTOCOL', /longer/),
    );
    const fits = `HTTP/1.1 200 ok\r\nA: ${'b'.repeat(MAX_HEAD_BYTES - 24)}\r\n\r\n`;
    assert.equal(fits.length, MAX_HEAD_BYTES);
    assert.equal(new ResponseHeadParser().push(Buffer.from(fits)).head?.status, 200);
    assert.throws(
      () => new ResponseHeadParser().push(Buffer.from(fits.replace('A', 'AA'))),
      coded('DFP_PARENT_PROTOCOL', /longer/),
    );
  });

  it('takes only decimal safe integers as Content-Length', () => {
    const lengthOf = (text: string): number | undefined =>
      contentLengthOf(parseResponseHead(`HTTP/1.1 200 ok\r\nContent-Length: ${text}`));
    assert.equal(lengthOf('4194304'), 4194304);
    for (const text of ['', '-1', '+1', '1e3', '0x10', '1, 1', '9007199254740993'])
      assert.throws(() => lengthOf(text), coded('DFP_PARENT_PROTOCOL'), text);
  });

  it('keeps connections alive only with HTTP/1.1 and without Connection: close', () => {
    assert.equal(parseResponseHead('HTTP/1.1 200').keepAlive, true);
    assert.equal(parseResponseHead('HTTP/1.0 200 ok').keepAlive, false);
    assert.equal(parseResponseHead('HTTP/1.1 200 ok\r\nConnection: Close').keepAlive, false);
  });
});
