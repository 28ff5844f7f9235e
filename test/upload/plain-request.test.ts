import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { parseBlocksWish } from '../../src/core/piece-blocks.js';
import { parsePlainRequest } from '../../src/upload/http/plain-request.js';

const MAX_BYTES = 8192;

function parse(text: string): ReturnType<typeof parsePlainRequest> {
  return parsePlainRequest(Buffer.from(text, 'latin1'), MAX_BYTES);
}

describe('a plain request', () => {
  it('is what children and curl send', () => {
    const own = 'GET /download/abc/abcd?peerId=x HTTP/1.1\r\nHost: 10.0.0.1:4007\r\nRange: bytes=0-9\r\n\r\n';
    assert.deepEqual(parse(own), {
      target: '/download/abc/abcd?peerId=x',
      range: 'bytes=0-9',
      traceParent: undefined,
      blocksWish: undefined,
      close: false,
    });
    const curl = 'GET /x HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nConnection: Close\r\n\r\n';
    assert.deepEqual(parse(curl), {
      target: '/x',
      range: undefined,
      traceParent: undefined,
      blocksWish: undefined,
      close: true,
    });
    const traced = 'GET /x HTTP/1.1\r\nHost: h\r\ntraceparent: 00-a-b-01\r\n\r\n';
    assert.equal(parse(traced)?.traceParent, '00-a-b-01');
    for (const [value, wish] of [
      ['arriving', 'arriving'],
      ['always', 'always'],
      ['never', undefined],
    ]) {
      const wishing = parse(`GET /x HTTP/1.1\r\nHost: h\r\nDfpeer-Blocks: ${value}\r\n\r\n`);
      assert.deepEqual([wishing?.target, wishing?.blocksWish], ['/x', wish]);
    }
  });

  it('is nothing that could be read in two ways', () => {
    const plain = 'GET /x HTTP/1.1\r\nHost: h\r\n\r\n';
    assert.ok(parse(plain));
    const others = [
      ...['', 'GET', plain.slice(0, -1), `${plain}G`, plain + plain, plain.replace('GET', 'HEAD')],
      ...[
        plain.replace('1.1', '1.0'),
        plain.replace('GET ', 'GET  '),
        plain.replace('/x', '/x y'),
        plain.replace('/x', ''),
      ],
      ...[
        'GET /x HTTP/1.1\r\n\r\n',
        plain.replace('Host: h', 'Host: a\r\nHost: b'),
        plain.replace('Host: h', 'Host:h'),
      ],
      ...['Content-Length: 0', 'Transfer-Encoding: chunked', 'Expect: 100-continue', 'Upgrade: h2c'].map((field) =>
        plain.replace('\r\n\r\n', `\r\n${field}\r\n\r\n`),
      ),
      ...['Dfpeer-Blocks: always\r\nDfpeer-Blocks: always', 'Dfpeer-Blocks: never\r\nDfpeer-Blocks: always'].map(
        (field) => plain.replace('\r\n\r\n', `\r\n${field}\r\n\r\n`),
      ),
      ...['Range: bytes=0-1\r\nRange: bytes=2-3', ' folded: value', 'If-Range: "x"', 'Connection: upgrade'].map(
        (field) => plain.replace('\r\n\r\n', `\r\n${field}\r\n\r\n`),
      ),
      ...[
        plain.replace('\r\n', '\n'),
        plain.replace('Host: h', 'Host: h\u0000'),
        plain.replace('Host: h', 'Host: \u00e9'),
      ],
      plain.replace('Host: h', `Host: h\r\nUser-Agent: ${'x'.repeat(MAX_BYTES)}`),
    ];
    for (const other of others) assert.equal(parse(other), undefined, JSON.stringify(other.slice(0, 200)));
  });

  it('means what Node’s parser reads', async () => {
    const line = fc.constantFrom(
      ...['Host: peer', 'host: a.b:1', 'Range: bytes=1-2', 'RANGE: bytes=-5', 'range:bytes=1-', 'User-Agent: x y'],
      ...[
        'Accept: */*',
        'Connection: close',
        'Connection: keep-alive',
        'Connection: a, close',
        'Accept-Encoding: gzip',
        'traceparent: 00-ab-cd-01',
        'Dfpeer-Blocks: arriving',
        'dfpeer-blocks: always',
        'dfpeer-blocks: else',
      ],
      ...['Content-Length: 3', 'Transfer-Encoding: chunked', 'X: y', ' continued', ': empty', 'Host : peer', ''],
    );
    const head = fc
      .record({
        start: fc.constantFrom(
          'GET /a?b=c HTTP/1.1',
          'GET /a HTTP/1.0',
          'GET  /a HTTP/1.1',
          'HEAD /a HTTP/1.1',
          'GET a HTTP/1.1',
        ),
        lines: fc.array(line, { maxLength: 5 }),
        mark: fc.constantFrom('\r\n', '\r\n', '\r\n', '\n'),
      })
      .map(({ start, lines, mark }) => [start, ...lines, '', ''].join(mark));
    await fc.assert(
      fc.asyncProperty(fc.oneof(head, mutated(head)), async (text) => {
        const plain = parse(text);
        if (plain === undefined) return;
        const general = await readByNode(text);
        assert.deepEqual(general, plain, JSON.stringify(text));
      }),
      { numRuns: 2000 },
    );
  });
});

/** One character replaced by another. */
function mutated(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const character = fc.constantFrom('\r', '\n', ' ', ':', '\t', 'G', 'E', '/', '1', '.', '\u0000', '\u00ff');
  return fc.tuple(text, fc.nat(), character).map(([original, at, other]) => {
    const index = at % original.length;
    return original.slice(0, index) + other + original.slice(index + 1);
  });
}

/** What Node's own server takes from the same bytes; undefined when it refuses them or waits for more. */
async function readByNode(text: string): Promise<ReturnType<typeof parsePlainRequest>> {
  return new Promise((resolve) => {
    const server = createServer((request) => {
      const { range, traceparent, connection } = request.headers;
      const traceParent = typeof traceparent === 'string' ? traceparent : undefined;
      const blocks = request.headers['dfpeer-blocks'];
      const blocksWish = parseBlocksWish(typeof blocks === 'string' ? blocks : undefined);
      resolve({ target: request.url ?? '', range, traceParent, blocksWish, close: /close/i.test(connection ?? '') });
    });
    server.on('clientError', () => resolve(undefined));
    const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    server.emit('connection', socket);
    socket.push(Buffer.from(text, 'latin1'));
    // All of it was handed over: what isn't a request by now is none.
    setImmediate(() => setImmediate(() => resolve(undefined)));
  });
}
