import type { StoredPiece } from '../../core/piece.js';
import type { PeerSession } from '../../scheduler-client/scheduler-client.js';
import type { StoredTask } from '../store/stored-task.js';
import type { DownloadDependencies } from './dependencies.js';
import type { ParentLink } from './parent-link.js';
import type { ParentSwarm } from './parent-swarm.js';
import type { PieceBoard } from './piece-board.js';
import { PieceRaces } from './piece-races.js';

export interface ParentFetchesContext {
  dependencies: DownloadDependencies;
  swarm: ParentSwarm;
  board: PieceBoard;
  task: StoredTask;
  signal: AbortSignal;
  session: () => PeerSession | undefined;
}

/** The pieces that one attempt takes from its parents; the last ones, when they are slow, from two. */
export class ParentFetches {
  readonly #context: ParentFetchesContext;
  readonly #races: PieceRaces;

  constructor(context: ParentFetchesContext) {
    const { dependencies, swarm, task, signal, session } = context;
    this.#context = context;
    this.#races = new PieceRaces({
      clock: dependencies.clock,
      signal,
      fetch: (link, number, stop) => swarm.fetch(link, number, session(), stop),
      verify: async (piece) => (await task.digestOnDisk(piece)) === piece.digest,
    });
  }

  /** Undefined when no parent could give it. @throws DfpeerError DFP_STORE_* */
  async fetch(number: number, link: ParentLink): Promise<StoredPiece | undefined> {
    return this.#races.run(number, link);
  }

  /** Towards the end, whoever is slow must not hold up everything: slots that are free ask somebody else as well. */
  hedge(): void {
    const { dependencies, swarm, board } = this.#context;
    const { concurrentPieceCount, idleTimeoutMs } = dependencies.settings;
    if (board.missingCount > 0) return;
    while (board.inFlightCount + this.#races.hedgeCount < concurrentPieceCount) {
      const slow = this.#races.slowest(idleTimeoutMs / 2);
      const link = slow === undefined ? undefined : swarm.chooseFor(slow.number, slow.asked);
      if (slow === undefined || link === undefined) return;
      dependencies.logger.info(
        { piece: slow.number, from: slow.asked.map(({ id }) => id).join(', '), also: link.id },
        'a piece is slow, another parent is asked for it too',
      );
      this.#races.hedge(slow.number, link);
    }
  }

  /** Whom the pieces under way are awaited from, for people. */
  describe(): string[] {
    return this.#races
      .underWay()
      .map(
        ({ number, parents, forMs }) =>
          `piece ${number} from ${parents.map(({ id }) => id).join(' and ')} (${Math.round(forMs / 1000)} s)`,
      );
  }
}
