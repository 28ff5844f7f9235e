import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '../../../src/core/clock.js';
import { THREAD_GRACE_MS } from '../../../src/peer/fetch/fetch-call.js';
import { IDLE_THREAD_TIMEOUT_MS } from '../../../src/peer/fetch/thread-pool.js';
import { ThreadedPieceFetcher } from '../../../src/peer/fetch/threaded-piece-fetcher.js';
import { ManualClock } from '../../support/manual-clock.js';
import { coded, foundAt, LAYOUT, origin, Servers, StoreFile, TASK_ID } from './support/fixtures.js';

describe('a fetcher', () => {
  const servers = new Servers();
  let file: StoreFile;
  beforeEach(() => (file = new StoreFile()));
  afterEach(() => {
    servers.close();
    file.clean();
  });

  function request(url: string): Parameters<ThreadedPieceFetcher['fromOrigin']>[0] {
    const signal = new AbortController().signal;
    const common = { path: file.path, signal, idleTimeoutMs: 5000, timeoutMs: 10_000 };
    return { ...common, origin: foundAt(url), slice: LAYOUT.slice(0) };
  }

  it('starts threads only for work, no more than it may, and spreads the work', async () => {
    const { url } = await servers.http(origin());
    const fetcher = new ThreadedPieceFetcher({ threads: 2 });
    assert.equal(fetcher.threadCount, 0);
    await fetcher.fromOrigin(request(url));
    await fetcher.fromOrigin(request(url));
    assert.equal(fetcher.threadCount, 1);
    await Promise.all(Array.from({ length: 5 }, () => fetcher.fromOrigin(request(url))));
    assert.equal(fetcher.threadCount, 2);
    await fetcher.close();
    assert.equal(fetcher.threadCount, 0);
  });

  it('ends threads that have had no work for long, except the last', async () => {
    const { url } = await servers.http(origin());
    const clock = new ManualClock();
    const fetcher = new ThreadedPieceFetcher({ threads: 3, clock });
    await Promise.all(Array.from({ length: 3 }, () => fetcher.fromOrigin(request(url))));
    clock.advance(IDLE_THREAD_TIMEOUT_MS - 1);
    assert.equal(fetcher.threadCount, 3);
    await fetcher.fromOrigin(request(url));
    clock.advance(1);
    assert.equal(fetcher.threadCount, 1);
    clock.advance(IDLE_THREAD_TIMEOUT_MS);
    assert.equal(fetcher.threadCount, 1);
    await fetcher.close();
  });

  it('says what to do where its program was removed or replaced while the daemon runs', async () => {
    const { url } = await servers.http(origin());
    for (const entry of [
      new URL('./nothing-here.js', import.meta.url),
      new URL('data:text/javascript,import "data:text/javascript,import %22nothing-here%22"'),
      new URL('data:text/javascript,import { nothing } from "node:fs"'),
    ]) {
      const fetcher = new ThreadedPieceFetcher({ threads: 1, entry });
      await assert.rejects(
        fetcher.fromOrigin(request(url)),
        coded('DFP_PROGRAM_GONE', /^[^\n]*replaced.*; restart it$/),
      );
      await fetcher.close();
    }
  });

  it('fails what a dying thread had under way, and goes on with a new one', async () => {
    const { url } = await servers.http(origin());
    const crashing = new URL('./support/crashing-thread.js', import.meta.url);
    const fetcher = new ThreadedPieceFetcher({ threads: 1, entry: crashing });
    await Promise.all(
      [1, 2].map(() => assert.rejects(fetcher.fromOrigin(request(url)), coded('DFP_INTERNAL', /thread died: told to/))),
    );
    assert.equal(fetcher.threadCount, 0);
    assert.equal(fetcher.inFlight, 0);
    await assert.rejects(fetcher.fromOrigin(request(url)), coded('DFP_INTERNAL', /thread died/));
    await fetcher.close();
  });

  it('ends a thread that hangs, so that its callers do not', async () => {
    const timers: { delayMs: number; callback: () => void }[] = [];
    const clock: Clock = {
      ...systemClock,
      after(delayMs, callback) {
        timers.push({ delayMs, callback });
        return () => undefined;
      },
    };
    const hanging = new URL('./support/hanging-thread.js', import.meta.url);
    const fetcher = new ThreadedPieceFetcher({ threads: 1, entry: hanging, clock });
    const piece = assert.rejects(
      fetcher.fromOrigin(request('http://127.0.0.1/')),
      coded('DFP_STORE_IO', /has not answered for 40000 ms/),
    );
    await new Promise(setImmediate);
    let leftMs = 10_000 + THREAD_GRACE_MS;
    for (let next = timers.shift(); next !== undefined; next = leftMs > 0 ? timers.shift() : undefined) {
      leftMs -= next.delayMs;
      next.callback();
    }
    assert.equal(leftMs, 0);
    await piece;
    await fetcher.close();
  });

  it('lets more than its bound of fetches stand in line', async () => {
    const answers: (() => void)[] = [];
    const { url } = await servers.http((asked, response) => void answers.push(() => origin()(asked, response)));
    const fetcher = new ThreadedPieceFetcher({ threads: 1, maxInFlight: 2 });
    let ended = 0;
    const pieces = Array.from({ length: 5 }, () => fetcher.fromOrigin(request(url)).finally(() => ended++));
    while (ended < pieces.length) {
      assert.ok(fetcher.inFlight <= 2);
      answers.shift()?.();
      await new Promise(setImmediate);
    }
    await Promise.all(pieces);
    await fetcher.close();
  });

  it('refuses more than its bound in line, and at its end everybody who stands there', async () => {
    const { url } = await servers.http(() => undefined);
    const fetcher = new ThreadedPieceFetcher({ threads: 1, maxInFlight: 2, maxWaiting: 1 });
    const pieces = Array.from({ length: 3 }, () => fetcher.fromOrigin(request(url)));
    await assert.rejects(fetcher.fromOrigin(request(url)), coded('DFP_LIMIT', /2 fetches are in flight and 1 wait/));
    await Promise.all([...pieces.map((piece) => assert.rejects(piece, coded('DFP_SHUTTING_DOWN'))), fetcher.close()]);
  });

  it('refuses everything once closed, and closes twice without harm', async () => {
    const fetcher = new ThreadedPieceFetcher({ threads: 1 });
    await fetcher.close();
    await fetcher.close();
    await assert.rejects(fetcher.fromOrigin(request('http://127.0.0.1/')), coded('DFP_SHUTTING_DOWN'));
  });

  it('does not keep the process alive when it has nothing to do', async () => {
    const { url } = await servers.http(origin());
    const idle = new Worker(
      `const { workerData } = require('node:worker_threads');
      import(workerData.module).then(async ({ ThreadedPieceFetcher }) => {
        const fetcher = new ThreadedPieceFetcher({ threads: 1 });
        const signal = new AbortController().signal;
        await fetcher.statOrigin({ url: workerData.url, requestHeader: {}, signal, timeoutMs: 5000, trust: 'local-user' });
      });`,
      {
        eval: true,
        workerData: { url, module: new URL('../../../src/peer/fetch/threaded-piece-fetcher.js', import.meta.url).href },
      },
    );
    const code = await new Promise((resolve, reject) => idle.on('exit', resolve).on('error', reject));
    assert.equal(code, 0);
  });

  describe('writing', () => {
    let fetcher: ThreadedPieceFetcher;
    before(() => (fetcher = new ThreadedPieceFetcher({ threads: 1 })));
    after(() => fetcher.close());

    it('fails with DFP_STORE_IO when the file is missing, or a symbolic link', async () => {
      const { url } = await servers.http(origin());
      const missing = { ...request(url), path: `${file.path}-missing` };
      await assert.rejects(fetcher.fromOrigin(missing), coded('DFP_STORE_IO', /ENOENT/));
      const link = { ...request(url), path: file.link() };
      await assert.rejects(fetcher.fromOrigin(link), coded('DFP_STORE_IO', /ELOOP/));
      assert.ok(file.readAll().every((byte) => byte === 0));
    });

    it('fails with DFP_STORE_FULL when there is no space', async () => {
      const { url, port } = await servers.http(origin());
      await assert.rejects(fetcher.fromOrigin({ ...request(url), path: '/dev/full' }), coded('DFP_STORE_FULL'));
      const endpoint = { protocol: 'http', host: '127.0.0.1', port } as const;
      const parent = { ...request(url), path: '/dev/full', endpoint, taskId: TASK_ID, childPeerId: 'c' };
      await assert.rejects(fetcher.fromParent(parent), coded('DFP_STORE_FULL'));
    });
  });
});
