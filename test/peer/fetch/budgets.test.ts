import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { ByteBudget } from '../../../src/core/byte-budget.js';
import type { FetchCommon } from '../../../src/peer/fetch/piece-fetcher.js';
import { LEASE_STEP } from '../../../src/peer/fetch/transfer.js';
import { inBlocks } from './support/blocks.js';
import { bytesOf, coded, CONTENT, foundAt, LAYOUT, origin, PIECE_LENGTH, TASK_ID } from './support/fixtures.js';
import { useFetcher, useServers, useStoreFile } from './support/hooks.js';

/** Grants at most `quantum` at a time, as often as it is asked, and keeps the books. */
class CountingBudget implements ByteBudget {
  granted = 0;
  returned = 0;
  asked: number[] = [];
  readonly #quantum: number;

  constructor(quantum: number) {
    this.#quantum = quantum;
  }

  get spent(): number {
    return this.granted - this.returned;
  }

  async take(wanted: number): Promise<number> {
    this.asked.push(wanted);
    const lease = Math.min(wanted, this.#quantum);
    this.granted += lease;
    return lease;
  }

  giveBack(unspent: number): void {
    this.returned += unspent;
  }
}

/** Grants nothing until released. */
class ClosedBudget implements ByteBudget {
  readonly asked: Promise<void>;
  rejected = 0;
  #askedNow: () => void = () => undefined;
  #open: () => void = () => undefined;

  constructor() {
    this.asked = new Promise((resolve) => (this.#askedNow = resolve));
  }

  release(): void {
    this.#open();
  }

  take(wanted: number, signal: AbortSignal): Promise<number> {
    this.#askedNow();
    return new Promise((resolve, reject) => {
      this.#open = () => resolve(wanted);
      signal.addEventListener('abort', () => {
        this.rejected++;
        reject(signal.reason as Error);
      });
    });
  }

  giveBack(): void {
    throw new Error('nothing was granted');
  }
}

describe('fetching under budgets', () => {
  const servers = useServers();
  const fetcher = useFetcher();
  const file = useStoreFile();

  function common(budgets: ByteBudget[], more: Partial<FetchCommon> = {}): FetchCommon {
    const signal = new AbortController().signal;
    return { path: file().path, signal, budgets, idleTimeoutMs: 5000, timeoutMs: 10_000, ...more };
  }

  async function endpoint(
    ...change: Parameters<typeof origin>
  ): Promise<{ protocol: 'http'; host: string; port: number }> {
    return { protocol: 'http', host: '127.0.0.1', port: (await servers.http(origin(...change))).port };
  }

  it('spends exactly the bytes of the pieces, from parents, the origin and streams', async () => {
    const budget = new CountingBudget(10_007);
    const parent = { endpoint: await endpoint(), taskId: TASK_ID, childPeerId: 'child' };
    for (const slice of LAYOUT.all()) await fetcher().fromParent({ ...common([budget]), ...parent, slice });
    assert.equal(budget.spent, CONTENT.length);
    const found = foundAt(`http://127.0.0.1:${parent.endpoint.port}/`);
    for (const slice of LAYOUT.all()) await fetcher().fromOrigin({ ...common([budget]), origin: found, slice });
    assert.equal(budget.spent, 2 * CONTENT.length);
    const onPiece = async (): Promise<void> => undefined;
    await fetcher().streamFromOrigin({ ...common([budget]), origin: found, pieceLength: PIECE_LENGTH, onPiece });
    assert.equal(budget.spent, 3 * CONTENT.length);
    assert.equal(file().readAll().compare(CONTENT), 0);
    assert.ok(Math.max(...budget.asked) <= LEASE_STEP);
  });

  it('spends nothing for the sums of a piece in blocks', async () => {
    const [budget, slice, blockLength] = [new CountingBudget(1001), LAYOUT.slice(1), 32 * 1024];
    const body = inBlocks(bytesOf(slice), blockLength);
    const parent = await endpoint((_, response) => {
      const range = `bytes ${slice.offset}-${slice.offset + slice.length - 1}/${CONTENT.length}`;
      const head = { 'Content-Length': body.length, 'Content-Range': range, 'Dfpeer-Blocks': blockLength };
      response.writeHead(206, head).end(body);
      return true;
    });
    const request = { ...common([budget]), endpoint: parent, taskId: TASK_ID, childPeerId: 'child' };
    await fetcher().fromParent({ ...request, slice, blocksWish: 'always' });
    assert.equal(budget.spent, slice.length);
  });

  it('spends several budgets alike, the narrower one sets the pace', async () => {
    const [wide, narrow] = [new CountingBudget(100_000), new CountingBudget(3000)];
    const request = { ...common([wide, narrow]), endpoint: await endpoint(), taskId: TASK_ID, childPeerId: 'child' };
    await fetcher().fromParent({ ...request, slice: LAYOUT.slice(0) });
    assert.equal(wide.spent, PIECE_LENGTH);
    assert.equal(narrow.spent, PIECE_LENGTH);
  });

  it('gives back what a failed fetch did not use', async () => {
    const budget = new CountingBudget(LEASE_STEP);
    const broken = await endpoint((_, response) => {
      response.writeHead(404).end();
      return true;
    });
    const request = { ...common([budget]), endpoint: broken, taskId: TASK_ID, childPeerId: 'child' };
    await assert.rejects(fetcher().fromParent({ ...request, slice: LAYOUT.slice(0) }), coded('DFP_PARENT_REFUSED'));
    assert.ok(budget.granted > 0);
    assert.equal(budget.spent, 0);
  });

  it('asks for nothing before it may receive, and waiting for a budget is no stall', async () => {
    let requests = 0;
    const parent = await endpoint(() => {
      requests++;
      return undefined;
    });
    const budget = new ClosedBudget();
    const limits = common([budget], { idleTimeoutMs: 1500 });
    const piece = fetcher().fromParent({
      ...limits,
      endpoint: parent,
      taskId: TASK_ID,
      childPeerId: 'c',
      slice: LAYOUT.slice(3),
    });
    await budget.asked;
    await new Promise((resolve) => setTimeout(resolve, 1600));
    assert.equal(requests, 0);
    budget.release();
    assert.equal((await piece).slice.number, 3);
    assert.equal(requests, 1);
  });

  it('stops waiting for a budget when aborted', async () => {
    const budget = new ClosedBudget();
    const controller = new AbortController();
    const limits = common([budget], { signal: controller.signal });
    const request = {
      ...limits,
      endpoint: await endpoint(),
      taskId: TASK_ID,
      childPeerId: 'c',
      slice: LAYOUT.slice(0),
    };
    const piece = assert.rejects(fetcher().fromParent(request), coded('DFP_ABORTED'));
    await budget.asked;
    controller.abort();
    await piece;
    assert.equal(budget.rejected, 1);
  });

  it('closes a connection whose last bytes are not paid when it is aborted', async () => {
    const { port, server } = await servers.http(origin());
    server.keepAliveTimeout = 0;
    const closed = once(server, 'connection').then(([socket]) => once(socket as Socket, 'close'));
    const controller = new AbortController();
    const { signal } = controller;
    const grants = [PIECE_LENGTH - 1];
    const budget: ByteBudget = {
      take: async () => {
        const lease = grants.pop();
        if (lease !== undefined) return lease;
        controller.abort();
        throw signal.reason;
      },
      giveBack: () => undefined,
    };
    const endpoint = { protocol: 'http', host: '127.0.0.1', port } as const;
    const request = { ...common([budget], { signal }), endpoint, taskId: TASK_ID, childPeerId: 'c' };
    await assert.rejects(fetcher().fromParent({ ...request, slice: LAYOUT.slice(0) }), coded('DFP_ABORTED'));
    await closed;
  });

  it('reports progress now and then, never beyond the piece', async () => {
    const reports: number[] = [];
    const parent = await endpoint((_, response) => {
      response.writeHead(206, {
        'Content-Length': PIECE_LENGTH,
        'Content-Range': `bytes 0-${PIECE_LENGTH - 1}/${CONTENT.length}`,
      });
      response.write(CONTENT.subarray(0, 1000));
      setTimeout(() => response.end(CONTENT.subarray(1000, PIECE_LENGTH)), 150);
      return true;
    });
    const request = { ...common([]), endpoint: parent, taskId: TASK_ID, childPeerId: 'c', slice: LAYOUT.slice(0) };
    await fetcher().fromParent({ ...request, onProgress: (bytes) => reports.push(bytes) });
    assert.ok(reports.length >= 1);
    assert.deepEqual(
      reports,
      [...reports].sort((a, b) => a - b),
    );
    assert.ok((reports.at(-1) ?? 0) <= PIECE_LENGTH);
  });
});
