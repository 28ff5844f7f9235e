import assert from 'node:assert/strict';
import { systemClock } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { DistrustedHosts } from '../../../src/peer/download/distrusted-hosts.js';
import { ParentSwarm } from '../../../src/peer/download/parent-swarm.js';
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
  it('takes nobody in any more once it is left, also not whom the scheduler names a moment later', () => {
    const dialer = new PatientDialer();
    const dependencies = {
      ...{ parents: dialer, clock: systemClock, logger: silentLogger, tracer: {} },
      ...{ distrusted: new DistrustedHosts(systemClock), silentHosts: new SilentHosts(systemClock) },
    };
    const task = { taskId: computeTaskId({ url: 'http://example.com/' }), layout: undefined };
    const nothing = (): void => undefined;
    const swarm = new ParentSwarm({
      ...{ dependencies, task, peerId: 'child', board: new PieceBoard(Math.random), demandsVersion: false },
      ...{ onChange: nothing, onBytes: nothing, onWord: nothing },
    } as unknown as ConstructorParameters<typeof ParentSwarm>[0]);
    swarm.add([parent('in time')]);
    assert.ok(swarm.alive);
    swarm.close();
    swarm.add([parent('too late')]);
    assert.ok(!swarm.alive);
    assert.deepEqual(dialer.dialled, ['in time']);
  });
});
