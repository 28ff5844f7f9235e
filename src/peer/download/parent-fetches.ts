import type { PeerSession } from '../../scheduler-client/scheduler-client.js';
import type { StoredTask } from '../store/stored-task.js';
import type { CollectedPiece } from './carriage.js';
import type { DownloadDependencies } from './dependencies.js';
import type { NamedWaits } from './named-waits.js';
import type { OriginPieces } from './origin-pieces.js';
import type { OriginRace } from './origin-race.js';
import { ParentLink } from './parent-link.js';
import type { ParentSwarm } from './parent-swarm.js';
import type { PieceBoard } from './piece-board.js';
import { ORIGIN, PieceRaces, type PieceGiver } from './piece-races.js';

export interface ParentFetchesContext {
  dependencies: DownloadDependencies;
  waits: NamedWaits;
  swarm: ParentSwarm;
  board: PieceBoard;
  task: StoredTask;
  originPieces: OriginPieces;
  originRace: OriginRace;
  /** Requests that the origin may have at once now. */
  originSlots: () => number;
  mayUseOrigin: () => boolean;
  /** The origin is asked beside a parent, and why. */
  onOrigin: (reason: string) => void;
  signal: AbortSignal;
  session: () => PeerSession | undefined;
}

/**
 * The pieces that one attempt takes from its parents; the last ones, when they are slow, from two, or from the origin as well. The origin
 * steps in for parents and schedulers that are silent.
 */
export class ParentFetches {
  readonly #context: ParentFetchesContext;
  readonly #races: PieceRaces;
  readonly #over = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(context: ParentFetchesContext) {
    const { dependencies, waits, swarm, task, originPieces, signal, session } = context;
    this.#context = context;
    this.#races = new PieceRaces({
      clock: dependencies.clock,
      signal: AbortSignal.any([signal, this.#over.signal]),
      fetch: (source, number, stop) =>
        source instanceof ParentLink ? swarm.fetch(source, number, session(), stop) : originPieces.race(number, stop),
      verify: async (piece) =>
        (await waits.disk('read back a piece that two gave', () => task.digestOnDisk(piece))) === piece.digest,
    });
  }

  /** Pieces that parents are asked for now. */
  get parentCount(): number {
    return this.#races.parentCount;
  }

  /** Whoever should give is silent: the origin is to be asked for one piece more. */
  get mayRaceOrigin(): boolean {
    const { originRace, originSlots } = this.#context;
    return this.#isSilent && this.#mayAskOrigin(Math.min(originRace.width, originSlots()));
  }

  /** `keep` records the piece; it is not called when that could not be had. @throws DfpeerError DFP_STORE_*, or what `keep` throws */
  async fetch(number: number, source: PieceGiver, keep: (piece: CollectedPiece) => Promise<void>): Promise<void> {
    // Those who are asked only now can't have been silent.
    const { originRace, swarm } = this.#context;
    if (source !== ORIGIN && this.#races.parentCount === 0) originRace.asked(swarm.piecesPatienceMs);
    const running = this.#races.run(number, source).then((piece) => (piece === undefined ? undefined : keep(piece)));
    const settled = running.then(() => undefined, () => undefined).finally(() => this.#running.delete(settled)); // prettier-ignore
    this.#running.add(settled);
    return running;
  }

  /** Towards the end, whoever is slow must not hold up everything: slots that are free ask somebody else as well. */
  hedge(): void {
    const { dependencies, board } = this.#context;
    const { concurrentPieceCount } = dependencies.settings;
    if (board.missingCount > 0) return;
    while (this.#isSilent || board.inFlightCount + this.#races.hedgeCount < concurrentPieceCount) {
      const slow = this.#findSlow();
      const source = slow && this.#findOther(slow);
      if (slow === undefined || source === undefined) return;
      dependencies.logger.info(
        { piece: slow.number, from: slow.asked.map(({ id }) => id).join(', '), also: source.id },
        `a piece is slow, ${source === ORIGIN ? 'the origin' : 'another parent'} is asked for it too`,
      );
      if (source === ORIGIN) this.#context.onOrigin(this.#isSilent ? this.#context.swarm.silence : 'a parent was slow');
      this.#races.hedge(slow.number, source);
    }
  }

  /** Ends all of them; resolves once nothing writes any more, and what had come by then is recorded. */
  async stop(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#running);
  }

  /** Whom the pieces under way are awaited from, for people. */
  describe(): string[] {
    return this.#races
      .underWay()
      .map(
        ({ number, sources, forMs }) =>
          `piece ${number} from ${sources.map(({ id }) => id).join(' and ')} (${Math.round(forMs / 1000)} s)`,
      );
  }

  /** Parents that have spoken may have nothing yet, and our own limits make them slow: neither is silence. */
  get #isSilent(): boolean {
    const { originRace, dependencies } = this.#context;
    if (originRace.width === 0) return false;
    return !originRace.wasHeard || (this.#races.parentCount > 0 && dependencies.budgets.forParentPiece().length === 0);
  }

  #mayAskOrigin(slots: number): boolean {
    const { originPieces, mayUseOrigin } = this.#context;
    return this.#races.originCount < slots && mayUseOrigin() && originPieces.mayRace;
  }

  #findSlow(): { number: number; asked: PieceGiver[] } | undefined {
    const { idleTimeoutMs } = this.#context.dependencies.settings;
    if (!this.#isSilent) return this.#races.slowest(idleTimeoutMs / 2);
    return this.#races.oldest(0, (sources) => !sources.includes(ORIGIN));
  }

  #findOther({ number, asked }: { number: number; asked: PieceGiver[] }): PieceGiver | undefined {
    if (this.#isSilent) return this.mayRaceOrigin ? ORIGIN : undefined;
    const links = asked.filter((source) => source instanceof ParentLink);
    const link = this.#context.swarm.chooseFor(number, links);
    if (link !== undefined) return link;
    return !asked.includes(ORIGIN) && this.#mayAskOrigin(1) ? ORIGIN : undefined;
  }
}
