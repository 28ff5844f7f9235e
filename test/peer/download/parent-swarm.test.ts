import assert from 'node:assert/strict';
import { systemClock } from '../../../src/core/clock.js';
import { DfpeerError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { noTracing } from '../../../src/core/tracing.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { DistrustedHosts, MAX_STRIKES } from '../../../src/peer/download/distrusted-hosts.js';
import { MAX_EMPTY_OFFERS, MAX_PARENTS, ParentSwarm } from '../../../src/peer/download/parent-swarm.js';
import { PieceBoard } from '../../../src/peer/download/piece-board.js';
import { RememberedHosts } from '../../../src/peer/download/remembered-hosts.js';
import type { PieceSlice } from '../../../src/core/piece.js';
import { Wakeup } from '../../../src/core/wakeup.js';
import type { ParentDialer, PieceOffer } from '../../../src/peer/parents/parent-dialer.js';
import type { CandidateParent } from '../../../src/scheduler-client/scheduler-client.js';
import { PARENT_PATIENCE_MS } from '../../../src/peer/download/origin-race.js';
import { MAX_PARENT_FAILURES, type ParentLink } from '../../../src/peer/download/parent-link.js';
import { NO_BUDGETS } from '../../support/no-budgets.js';
import { until } from '../../support/until.js';
import { candidate as parent } from './support/candidate-parent.js';

const PIECE_LENGTH = 4;

/** Parents that answer, offer what they are told to, and have no more yet. */
class PatientDialer implements ParentDialer {
  readonly dialled: string[] = [];
  offered: number[] = [];
  /** With what their streams end once they have offered that. */
  failure: DfpeerError | undefined;
  readonly #more = new Wakeup();

  /** Further ones, or the same again. */
  offer(number: number): void {
    this.offered.push(number);
    this.#more.notify();
  }

  async *syncPieces(parent: CandidateParent, _request: unknown, signal: AbortSignal): AsyncGenerator<PieceOffer> {
    this.dialled.push(parent.peerId);
    const endpoint = { protocol: 'http', host: parent.ip, port: parent.port } as const;
    const over = aborted(signal);
    for (let next = 0; !signal.aborted;) {
      for (const number of this.offered.slice(next, (next = this.offered.length)))
        yield { number, offset: number * PIECE_LENGTH, length: PIECE_LENGTH, endpoint, contentVersion: undefined };
      if (this.failure !== undefined) throw this.failure;
      await Promise.race([over, this.#more.wait()]);
    }
  }

  async *syncHost(_parent: CandidateParent, _request: unknown, signal: AbortSignal): AsyncGenerator<never> {
    await aborted(signal);
    yield* [];
  }

  close(): void {
    return undefined;
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

describe('a swarm of parents', () => {
  let dialer: PatientDialer;
  let distrusted: DistrustedHosts;
  let unreachableHosts: RememberedHosts;
  let swarm: ParentSwarm;
  let board: PieceBoard;
  let changed: Wakeup;
  let fromParent: () => Promise<{ digest: string; costMs: number; toldRoute: undefined }>;

  beforeEach(() => {
    board = new PieceBoard(Math.random);
    changed = new Wakeup();
    dialer = new PatientDialer();
    distrusted = new DistrustedHosts(systemClock);
    unreachableHosts = new RememberedHosts(systemClock);
    fromParent = () => Promise.reject(new DfpeerError('DFP_PIECE_NOT_FOUND', 'it has nothing of it any more'));
    const dependencies = {
      ...{ parents: dialer, clock: systemClock, logger: silentLogger, tracer: noTracing },
      ...{
        distrusted,
        silentHosts: new RememberedHosts(systemClock),
        unreachableHosts,
        settings: { concurrentPieceCount: 8 },
      },
      ...{ fetcher: { fromParent: () => fromParent() }, budgets: NO_BUDGETS, hasChildren: () => false },
      observer: { pieceFailed: () => undefined },
      host: { isAt: ({ ip }: CandidateParent) => ip === '192.0.2.9' },
    };
    const slice = (number: number): PieceSlice => ({ number, offset: number * PIECE_LENGTH, length: PIECE_LENGTH });
    const arrivals = { begin: () => ({}), end: () => undefined };
    const task = { taskId: computeTaskId({ url: 'http://example.com/' }), layout: undefined, slice, arrivals };
    const nothing = (): void => undefined;
    swarm = new ParentSwarm({
      ...{ dependencies, task, peerId: 'child', board, demandsVersion: false },
      ...{ onChange: () => changed.notify(), onBytes: nothing, onWord: nothing },
    } as unknown as ConstructorParameters<typeof ParentSwarm>[0]);
  });
  afterEach(() => swarm.close());

  it('takes so many in, and no more', () => {
    swarm.add(Array.from({ length: MAX_PARENTS + 1 }, (_, index) => parent(`parent ${index}`)));
    assert.equal(swarm.links.length, MAX_PARENTS);
  });

  it('does not ask whom other downloads distrust, and names it to the scheduler', () => {
    for (let strike = 0; strike < MAX_STRIKES; strike++) distrusted.strike('liar');
    swarm.add([parent('liar')]);
    assert.deepEqual(dialer.dialled, []);
    assert.deepEqual(
      swarm.takeFailed().map(({ peerId }) => peerId),
      ['liar'],
    );
  });

  it('does not ask this very host under another name, and names it to the scheduler', () => {
    swarm.add([{ ...parent('former life'), ip: '192.0.2.9' }]);
    assert.deepEqual(dialer.dialled, []);
    assert.deepEqual(
      swarm.takeFailed().map(({ peerId }) => peerId),
      ['former life'],
    );
  });

  it('tells who is new among those that a scheduler names again and again', () => {
    const added = (...ids: string[]): string[] => swarm.add(ids.map(parent)).map(({ peerId }) => peerId);
    assert.deepEqual(added('one'), ['one']);
    assert.deepEqual(added('one', 'two'), ['two']);
    assert.deepEqual(added('one', 'two'), []);
  });

  it('takes nobody in any more once it is left, also not whom the scheduler names a moment later', () => {
    swarm.add([parent('in time')]);
    assert.ok(swarm.alive);
    swarm.close();
    swarm.add([parent('too late')]);
    assert.ok(!swarm.alive);
    assert.deepEqual(dialer.dialled, ['in time']);
  });

  it('has from a parent whose task has failed what that offered before, and then does without it', async () => {
    for (const number of [0, 1, 2]) board.want(number);
    dialer.offered = [0, 1];
    dialer.failure = new DfpeerError('DFP_TASK_FAILED', 'it is not being downloaded');
    swarm.add([parent('partial')]);
    while (!swarm.hasFailed) await changed.wait();
    for (const expected of [0, 1]) {
      const choice = swarm.choose();
      assert.equal(choice?.link.id, 'partial', `nobody is asked for piece ${expected}`);
      board.done(choice.number);
    }
    swarm.pruneExhausted();
    assert.ok(!swarm.alive);
    swarm.add([parent('partial')]);
    assert.ok(!swarm.alive, 'it came back');
    assert.deepEqual(
      swarm.takeFailed().map(({ peerId }) => peerId),
      ['partial'],
    );
  });

  it('does at once without a parent whose stream broke', async () => {
    board.want(0);
    dialer.offered = [0];
    dialer.failure = new DfpeerError('DFP_PARENT_UNREACHABLE', 'gone');
    swarm.add([parent('gone')]);
    assert.equal(swarm.silence, 'the parents are silent');
    while (!swarm.hasFailed) await changed.wait();
    assert.ok(!swarm.alive);
    assert.equal(swarm.silence, 'the parents are silent (gone)');
  });

  describe('of whom one speaks, and nobody gets through to its pieces', () => {
    const { signal } = new AbortController();
    let link: ParentLink;

    beforeEach(async () => {
      for (const number of [0, 1]) board.want(number);
      dialer.offered = [0, 1];
      fromParent = () => Promise.reject(new DfpeerError('DFP_PARENT_UNREACHABLE', 'no answer'));
      swarm.add([parent('deaf')]);
      await until('its offers', () => board.holders(0).length + board.holders(1).length === 2);
      [link] = swarm.links as [ParentLink];
    });

    const fail = (): Promise<unknown> => swarm.fetch(link, 0, undefined, signal);

    it('tries as often as it does with others, and remembers it once it is given up', async () => {
      for (let time = 0; time < MAX_PARENT_FAILURES; time++) {
        assert.ok(!unreachableHosts.has('deaf'));
        assert.equal(swarm.piecesPatienceMs, PARENT_PATIENCE_MS);
        await until('it to be asked again', () => !link.resting);
        await fail();
      }
      assert.ok(!swarm.alive);
      assert.ok(unreachableHosts.has('deaf'));
    });

    it('asks one that is remembered for a piece at a time, once, and waits for none of them', async () => {
      unreachableHosts.add('deaf');
      assert.equal(swarm.piecesPatienceMs, 0);
      assert.equal(swarm.silence, 'the parents are silent (nobody here got through to their pieces lately)');
      assert.equal(swarm.choose()?.link, link);
      link.inFlight = 1;
      assert.equal(swarm.choose(), undefined);
      link.inFlight = 0;
      await fail();
      assert.deepEqual([swarm.alive, swarm.hasFailed], [false, true]);
      assert.equal(swarm.silence, 'the parents are silent (no answer)');
    });

    it('waits as ever where another parent is not remembered', () => {
      unreachableHosts.add('deaf');
      swarm.add([parent('well')]);
      assert.equal(swarm.piecesPatienceMs, PARENT_PATIENCE_MS);
    });

    it('forgets that once it gives a piece', async () => {
      unreachableHosts.add('deaf');
      fromParent = () => Promise.resolve({ digest: 'crc32:1', costMs: 1, toldRoute: undefined });
      assert.notEqual(await fail(), undefined);
      assert.ok(!unreachableHosts.has('deaf'));
    });
  });

  describe('of whom one has lost what was on its way to it', () => {
    const { signal } = new AbortController();
    let link: ParentLink;

    beforeEach(async () => {
      for (const number of [0, 1]) board.want(number);
      swarm.add([parent('arriving')]);
      for (const number of [0, 1]) dialer.offer(number);
      await until('its offers', () => board.holders(0).length + board.holders(1).length === 2);
      [link] = swarm.links as [ParentLink];
    });

    it('does not ask it for that before it is offered anew, and for other pieces at once', async () => {
      await swarm.fetch(link, 0, undefined, signal);
      assert.deepEqual(swarm.choose(), { link, number: 1 });
      board.start(1);
      assert.equal(swarm.choose(), undefined);
      dialer.offer(0);
      await until('the offer', () => board.holders(0).length === 1);
      assert.deepEqual(swarm.choose(), { link, number: 0 });
    });

    it('asks again for what was offered anew before the refusal came', async () => {
      const before = link.offerOf(0);
      const refuse = fromParent;
      fromParent = async () => {
        dialer.offer(0);
        await until('the offer', () => link.offerOf(0) !== before);
        return refuse();
      };
      await swarm.fetch(link, 0, undefined, signal);
      assert.deepEqual(board.holders(0), ['arriving']);
    });

    it('gives it up when that never ends', async () => {
      for (let time = 0; time <= MAX_EMPTY_OFFERS; time++) {
        assert.ok(swarm.alive);
        dialer.offer(0);
        await until('the offer', () => board.holders(0).length === 1);
        await swarm.fetch(link, 0, undefined, signal);
      }
      assert.deepEqual([swarm.alive, swarm.hasFailed], [false, true]);
    });
  });
});
