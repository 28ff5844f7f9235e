import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import fc from 'fast-check';
import { exchange } from '../../src/cli/daemon-call/http2/exchange.js';
import { encodeFrame, FLAG, FRAME_TYPE, FrameSplitter } from '../../src/cli/daemon-call/http2/frames.js';
import { decodeHeaders, encodeHeaders, type HeaderFields } from '../../src/cli/daemon-call/http2/hpack.js';

const HEADERS = { ':method': 'POST', ':scheme': 'http', ':path': '/a', ':authority': 'localhost' };

/** A value as HTTP/2 allows it: Latin-1 without control characters, no spaces around it. */
const value = fc
  .array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff })), { maxLength: 60 })
  .map((codes) => String.fromCharCode(...codes).replace(/^ +| +$/g, ''));

interface Answer {
  blocks: HeaderFields[];
  body: Buffer;
}

describe("dfget's request over HTTP/2", () => {
  let server: Http2Server;
  let answerWith: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void;

  before(async () => {
    server = createServer().listen(0, '127.0.0.1');
    server.on('stream', (stream, headers) => answerWith(stream, headers));
    await once(server, 'listening');
  });

  after(() => {
    server.close();
  });

  async function ask(
    body: Buffer,
    headers: Record<string, string> = {},
    onData: (data: Buffer) => Promise<void> | void = () => undefined,
  ): Promise<Answer> {
    const answer: Answer = { blocks: [], body: Buffer.alloc(0) };
    const connection = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(connection, 'connect');
    await exchange(connection, {
      headers: { ...HEADERS, ...headers },
      body,
      onHeaders: (block) => void answer.blocks.push(block),
      onData: async (data) => {
        answer.body = Buffer.concat([answer.body, data]);
        await onData(data);
      },
    });
    return answer;
  }

  it("is understood by Node's server, and its answer here, whatever the headers are", async () => {
    await fc.assert(
      fc.asyncProperty(value, value, value, fc.uint8Array({ maxLength: 300 }), async (sent, told, last, bytes) => {
        const body = Buffer.from(bytes);
        answerWith = (stream, headers) => {
          assert.equal(headers['x-sent'], sent);
          stream.respond({ 'x-told': told, 'grpc-status': '0' }, { waitForTrailers: true });
          stream.on('wantTrailers', () => stream.sendTrailers({ 'x-last': last }));
          stream.pipe(stream);
        };
        const answer = await ask(body, { 'x-sent': sent });
        const [headers, trailers] = answer.blocks;
        assert.deepEqual([headers?.[':status'], headers?.['x-told'], trailers?.['x-last']], ['200', told, last]);
        assert.deepEqual(answer.body, body);
      }),
      { numRuns: 60 },
    );
  });

  it('sends and takes more than any window holds', async () => {
    const body = Buffer.alloc(3_000_000, 'dfpeer');
    answerWith = (stream) => {
      stream.respond({}, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-last': 'yes' }));
      stream.pipe(stream);
    };
    const answer = await ask(body, {}, () => new Promise((resolve) => setImmediate(resolve)));
    assert.ok(answer.body.equals(body));
    assert.equal(answer.blocks.at(-1)?.['x-last'], 'yes');
  });

  it('takes headers that fill several frames', async () => {
    const long = 'é~'.repeat(20_000);
    answerWith = (stream) => stream.respond({ 'x-told': long }, { endStream: true });
    const { blocks } = await ask(Buffer.from('x'));
    assert.equal(blocks[0]?.['x-told'], long);
  });

  it('fails when the stream is reset', async () => {
    answerWith = (stream) => stream.close(8);
    await assert.rejects(ask(Buffer.from('x')), /reset the stream, code 8/);
  });

  it('fails when the connection ends before the answer', async () => {
    answerWith = (stream) => stream.session?.destroy();
    await assert.rejects(ask(Buffer.from('x')), Error);
  });

  it('fails with an Error, and ends, whatever comes', async () => {
    let bytes = Buffer.alloc(0);
    const chaos = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(bytes);
    }).listen(0, '127.0.0.1');
    await once(chaos, 'listening');
    const frame = fc
      .record({
        type: fc.nat({ max: 10 }),
        flags: fc.nat({ max: 0xff }),
        streamId: fc.nat({ max: 3 }),
        payload: fc.uint8Array({ maxLength: 30 }).map((each) => Buffer.from(each)),
      })
      .filter(
        ({ type, flags }) =>
          ![FRAME_TYPE.data, FRAME_TYPE.headers].includes(type as 0 | 1) || (flags & FLAG.endStream) === 0,
      );
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 6 }), async (frames) => {
        bytes = Buffer.concat(frames.map((each) => encodeFrame(each)));
        const connection = connect((chaos.address() as AddressInfo).port, '127.0.0.1');
        await once(connection, 'connect');
        const asking = exchange(connection, {
          ...{ headers: HEADERS, body: Buffer.from('x') },
          ...{ onHeaders: () => undefined, onData: () => undefined },
        });
        await assert.rejects(asking, Error);
        assert.ok(connection.destroyed);
      }),
      { numRuns: 100 },
    );
    chaos.close();
  });
});

describe("HTTP/2's frames and headers", () => {
  it('are cut from chunks of any size', () =>
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 20 }),
        (payloads, cut) => {
          const frames = payloads.map((each) => ({ type: 0, flags: 1, streamId: 7, payload: Buffer.from(each) }));
          const wire = Buffer.concat(frames.map((each) => encodeFrame(each)));
          const splitter = new FrameSplitter();
          const found = [];
          for (let at = 0; at < wire.length; at += cut) found.push(...splitter.push(wire.subarray(at, at + cut)));
          assert.deepEqual(found, frames);
        },
      ),
    ));

  it('are refused beyond the length that was allowed', () => {
    const payload = Buffer.alloc(16_385);
    const frame = encodeFrame({ type: 0, flags: 0, streamId: 1, payload });
    assert.throws(() => new FrameSplitter().push(frame), RangeError);
  });

  it('come back as they were, long ones too', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        const latin1 = Buffer.from(text, 'latin1').toString('latin1');
        assert.deepEqual(decodeHeaders(encodeHeaders({ name: latin1 })), { name: latin1 });
      }),
    ));

  it('are decoded or refused with a RangeError, whatever they are', () =>
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          decodeHeaders(bytes);
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
        }
      }),
    ));

  it('refer to no table of their own', () => {
    assert.throws(() => decodeHeaders(Buffer.from([0x80 | 62])), RangeError);
  });
});
