import { sleep } from '../../src/core/deadline.js';
import { DfpeerError } from '../../src/core/errors.js';
import type { OffersRequest, ParentDialer, ParentLoad, PieceOffer } from '../../src/peer/parents/parent-dialer.js';
import type { CandidateParent } from '../../src/scheduler-client/scheduler-client.js';
import type { SimulatedParent } from './simulated-parent.js';
import type { VirtualClock } from './virtual-clock.js';

/** Streams to the simulated parents, counted while they are open. */
export class SimulatedDialer implements ParentDialer {
  readonly #parents: ReadonlyMap<string, SimulatedParent>;
  readonly #clock: VirtualClock;
  openStreams = 0;

  constructor(parents: readonly SimulatedParent[], clock: VirtualClock) {
    this.#parents = new Map(parents.map((parent) => [parent.candidate.peerId, parent]));
    this.#clock = clock;
  }

  async *syncPieces(
    parent: CandidateParent,
    request: OffersRequest,
    signal: AbortSignal,
    onAnswer?: () => void,
  ): AsyncGenerator<PieceOffer> {
    this.openStreams++;
    try {
      const simulated = this.#parents.get(parent.peerId);
      if (simulated === undefined) throw new DfpeerError('DFP_INTERNAL', `${parent.peerId} is nobody`);
      yield* simulated.offers(request.pieces, this.#clock, signal, onAnswer);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.openStreams--;
    }
  }

  async *syncHost(
    _parent: CandidateParent,
    _request: { peerId: string },
    signal: AbortSignal,
  ): AsyncGenerator<ParentLoad> {
    this.openStreams++;
    try {
      for (let second = 0; !signal.aborted; second++) {
        yield { maxTxBitsPerSecond: 1e9, txBitsPerSecond: (second % 10) * 1e8 };
        await sleep(1000, signal, this.#clock);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.openStreams--;
    }
  }

  close(): void {
    // Streams end with their signals.
  }
}
