import assert from 'node:assert/strict';
import { systemClock } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { DistrustedHosts, MAX_STRIKES } from '../../../src/peer/download/distrusted-hosts.js';
import { MAX_PARENTS, ParentSwarm } from '../../../src/peer/download/parent-swarm.js';
import { PieceBoard } from '../../../src/peer/download/piece-board.js';
import { SilentHosts } from '../../../src/peer/download/silent-hosts.js';
import type { ParentDialer, PieceOffer } from '../../../src/peer/parents/parent-dialer.js';
import type { CandidateParent } from '../../../src/scheduler-client/scheduler-client.js';

/** Parents that answer and have nothing yet. */
class PatientDialer implements ParentDialer {
  readonly dialled: string[] = [];

  async *syncPieces(parent: CandidateParent, _request: unknown, signal: AbortSignal): AsyncGenerator<PieceOffer> {
    this.dialled.push(parent.peerId);
    await aborted(signal);
    yield* [];
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

function parent(peerId: string): CandidateParent {
  return {
    ...{ peerId, hostId: peerId, hostname: peerId, ip: '192.0.2.1', port: 1, isSeed: false, state: 'Running' },
    ...{ maxTxBitsPerSecond: 0, txBitsPerSecond: 0, wire: undefined },
  };
}

describe('a swarm of parents', () => {
  let dialer: PatientDialer;
  let distrusted: DistrustedHosts;
  let swarm: ParentSwarm;

  beforeEach(() => {
    dialer = new PatientDialer();
    distrusted = new DistrustedHosts(systemClock);
    const dependencies = {
      ...{ parents: dialer, clock: systemClock, logger: silentLogger, tracer: {} },
      ...{ distrusted, silentHosts: new SilentHosts(systemClock) },
    };
    const task = { taskId: computeTaskId({ url: 'http://example.com/' }), layout: undefined };
    const nothing = (): void => undefined;
    swarm = new ParentSwarm({
      ...{ dependencies, task, peerId: 'child', board: new PieceBoard(Math.random), demandsVersion: false },
      ...{ onChange: nothing, onBytes: nothing, onWord: nothing },
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

  it('takes nobody in any more once it is left, also not whom the scheduler names a moment later', () => {
    swarm.add([parent('in time')]);
    assert.ok(swarm.alive);
    swarm.close();
    swarm.add([parent('too late')]);
    assert.ok(!swarm.alive);
    assert.deepEqual(dialer.dialled, ['in time']);
  });
});
