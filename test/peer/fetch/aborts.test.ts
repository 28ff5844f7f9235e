import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { DfpeerError } from '../../../src/core/errors.js';
import type { FetchCommon } from '../../../src/peer/fetch/piece-fetcher.js';
import { ThreadedPieceFetcher } from '../../../src/peer/fetch/threaded-piece-fetcher.js';
import { encodeContent } from '../../../src/vortex/codec.js';
import {
  bytesOf,
  coded,
  CONTENT,
  digestOf,
  foundAt,
  LAYOUT,
  origin,
  PIECE_LENGTH,
  Servers,
  StoreFile,
  TASK_ID,
} from './support/fixtures.js';

const ATTEMPTS = 40;
const PART = 16 * 1024;

/** In parts, a turn of the event loop apart, so that an abort can hit any of them. */
async function writeSlowly(to: Writable, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !to.destroyed; at += PART) {
    to.write(bytes.subarray(at, at + PART));
    await setImmediate();
  }
  to.end();
}

const sendSlowly: Parameters<typeof origin>[0] = (request, response) => {
  const [first = 0, last = CONTENT.length - 1] =
    /(\d+)-(\d+)/
      .exec(request.headers.range ?? '')
      ?.slice(1)
      .map(Number) ?? [];
  const length = last - first + 1;
  const whole = request.headers.range === undefined;
  const range = { 'Content-Range': `bytes ${first}-${last}/${CONTENT.length}` };
  response.writeHead(whole ? 200 : 206, { 'Content-Length': length, ...(whole ? {} : range) });
  void writeSlowly(response, CONTENT.subarray(first, last + 1));
  return true;
};

describe('an aborted fetch', () => {
  const servers = new Servers();
  let fetcher: ThreadedPieceFetcher;
  let file: StoreFile;
  let httpPort: number;
  let vortexPort: number;
  /** Ends in mid-piece. */
  let brokenPort: number;

  beforeEach(async () => {
    fetcher = new ThreadedPieceFetcher({ threads: 2 });
    file = new StoreFile();
    httpPort = (await servers.http(origin(sendSlowly))).port;
    const slice = LAYOUT.slice(0);
    const metadata = {
      ...slice,
      digest: digestOf(slice),
      parentId: '',
      trafficType: 1,
      costSeconds: 0,
      createdAtSeconds: 0,
    };
    const answer = Buffer.concat([encodeContent(metadata), bytesOf(slice)]);
    vortexPort = await servers.tcp((socket) => {
      socket.once('data', () => void writeSlowly(socket, answer)).on('end', () => socket.end());
    });
    brokenPort = await servers.tcp((socket) => socket.once('data', () => socket.end(answer.subarray(0, PART))));
  });
  afterEach(async () => {
    await fetcher.close();
    servers.close();
    file.clean();
  });

  function common(signal: AbortSignal): FetchCommon {
    return { path: file.path, signal, idleTimeoutMs: 5000, timeoutMs: 10_000 };
  }

  const slice = LAYOUT.slice(0);
  const overVortex = (port: number, signal: AbortSignal): Promise<unknown> =>
    fetcher.fromParent({
      ...common(signal),
      endpoint: { protocol: 'vortex', host: '127.0.0.1', port },
      taskId: TASK_ID,
      childPeerId: 'c',
      slice,
    });
  const ways: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
    'from a parent over HTTP': (signal) =>
      fetcher.fromParent({
        ...common(signal),
        endpoint: { protocol: 'http', host: '127.0.0.1', port: httpPort },
        taskId: TASK_ID,
        childPeerId: 'c',
        slice,
      }),
    'from a parent over vortex': (signal) => overVortex(vortexPort, signal),
    'from the origin': (signal) =>
      fetcher.fromOrigin({ ...common(signal), origin: foundAt(`http://127.0.0.1:${httpPort}/`), slice }),
    'in a stream': (signal) =>
      fetcher.streamFromOrigin({
        ...common(signal),
        origin: foundAt(`http://127.0.0.1:${httpPort}/`),
        pieceLength: PIECE_LENGTH,
        onPiece: async () => undefined,
      }),
  };

  for (const [way, fetchPiece] of Object.entries(ways))
    it(`${way} writes nothing once its promise has settled, whenever it is aborted`, async () => {
      const sentinel = Buffer.alloc(CONTENT.length, 0xaa);
      let aborted = 0;
      await fetchPiece(new AbortController().signal);
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const controller = new AbortController();
        const settled = fetchPiece(controller.signal).catch((error: unknown) => {
          assert.ok(error instanceof DfpeerError && error.code === 'DFP_ABORTED', String(error));
          aborted++;
        });
        for (let turn = 0; turn < attempt * 2; turn++) await setImmediate();
        controller.abort();
        await settled;
        const fd = openSync(file.path, 'r+');
        writeSync(fd, sentinel, 0, sentinel.length, 0);
        closeSync(fd);
        // A second fetch goes through the same threads: whatever the first left behind would run before it ends.
        await fetcher.statOrigin({
          url: `http://127.0.0.1:${httpPort}/`,
          requestHeader: {},
          signal: new AbortController().signal,
          timeoutMs: 5000,
          trust: 'local-user',
        });
        assert.equal(readFileSync(file.path).compare(sentinel), 0, `attempt ${attempt}`);
      }
      assert.ok(aborted > 0, 'some aborts came in time');
    });

  it('rejects with the reason it was aborted for', async () => {
    const { url } = await servers.http(() => undefined);
    const controller = new AbortController();
    const piece = fetcher.fromOrigin({ ...common(controller.signal), origin: foundAt(url), slice });
    controller.abort(new DfpeerError('DFP_BLOCKED', 'not wanted any more'));
    await assert.rejects(piece, coded('DFP_BLOCKED', /not wanted/));
    await assert.rejects(
      fetcher.fromOrigin({ ...common(controller.signal), origin: foundAt(url), slice }),
      coded('DFP_BLOCKED'),
    );
  });

  it('leaves no file descriptor behind, nor does one that succeeds or fails', async function () {
    const openFds = (): number => readdirSync('/proc/self/fd').length;
    const round = async (): Promise<void> => {
      for (const fetchPiece of Object.values(ways)) {
        const controller = new AbortController();
        const running = Array.from({ length: 4 }, () => fetchPiece(controller.signal).catch(() => undefined));
        for (let turn = 0; turn < 20; turn++) await setImmediate();
        controller.abort();
        await Promise.all(running);
        await fetchPiece(new AbortController().signal);
        const broken = overVortex(brokenPort, new AbortController().signal);
        await assert.rejects(broken, coded('DFP_PARENT_UNREACHABLE', /after \d+ of/));
      }
    };
    if (process.platform !== 'linux') return this.skip();
    for (let warmUp = 0; warmUp < 3; warmUp++) await round();
    const filesBefore = openFds();
    for (let rounds = 0; rounds < 10; rounds++) await round();
    // Kept connections come and go within their bound, on both sides; files must not add to them.
    assert.ok(openFds() - filesBefore <= 16, `${filesBefore} before, ${openFds()} after`);
  });
});
