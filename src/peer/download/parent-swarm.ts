import { DfpeerError, toDfpeerError } from '../../core/errors.js';
import { TrafficType, type StoredPiece } from '../../core/piece.js';
import type { CandidateParent, PeerSession } from '../../scheduler-client/scheduler-client.js';
import type { StoredTask } from '../store/stored-task.js';
import type { DownloadDependencies } from './dependencies.js';
import { MAX_PARENT_FAILURES, ParentLink } from './parent-link.js';
import type { PieceBoard } from './piece-board.js';

/** Parents of one download at a time; a scheduler offers a handful. */
export const MAX_PARENTS = 16;
/** How long a parent that is busy or doesn't have the piece yet is left alone when it does not say. */
const DEFAULT_REST_MS = 250;
const MAX_REST_MS = 5_000;
/** Consecutive "come back later" answers after which a parent is given up. */
export const MAX_BUSY_ANSWERS = 20;

/** The parents of one download: opens them, spreads requests over them, gives up those that fail. */
export class ParentSwarm {
  readonly #links = new Map<string, ParentLink>();
  /** Parents that failed us; a reschedule names them so that they don't come back. */
  readonly #failed = new Map<string, CandidateParent>();
  readonly #dependencies: DownloadDependencies;
  readonly #board: PieceBoard;
  readonly #task: StoredTask;
  readonly #peerId: string;
  readonly #signal: AbortSignal;
  readonly #onChange: () => void;

  constructor(context: {
    dependencies: DownloadDependencies;
    board: PieceBoard;
    task: StoredTask;
    peerId: string;
    signal: AbortSignal;
    onChange: () => void;
  }) {
    this.#dependencies = context.dependencies;
    this.#board = context.board;
    this.#task = context.task;
    this.#peerId = context.peerId;
    this.#signal = context.signal;
    this.#onChange = context.onChange;
  }

  /** Parents that have offered something or still may. */
  get alive(): boolean {
    return this.#links.size > 0;
  }

  /** Some parent may still offer what is missing. */
  get mayOffer(): boolean {
    return [...this.#links.values()].some((link) => link.streaming);
  }

  get links(): readonly ParentLink[] {
    return [...this.#links.values()];
  }

  /** Those that failed since the last call, in the scheduler's own words. */
  takeFailed(): CandidateParent[] {
    const failed = [...this.#failed.values()];
    this.#failed.clear();
    return failed;
  }

  add(parents: readonly CandidateParent[]): void {
    for (const parent of parents) {
      if (this.#links.has(parent.peerId) || this.#links.size >= MAX_PARENTS) continue;
      const link = new ParentLink(parent, this.#dependencies.clock);
      this.#links.set(link.id, link);
      const request = { taskId: this.#task.taskId, peerId: this.#peerId, pieces: this.#board.wanted() };
      link.open(
        this.#dependencies.parents,
        request,
        {
          onOffer: (_, offer) => {
            const slice = this.#task.slice(offer.number);
            if (slice?.offset !== offer.offset || slice.length !== offer.length)
              return this.#giveUp(
                link,
                new DfpeerError(
                  'DFP_PARENT_PROTOCOL',
                  `parent ${link.id} offers a piece ${offer.number} that this task does not have`,
                ),
              );
            if (this.#board.offer(link.id, offer.number)) this.#onChange();
          },
          onEnd: (_, error) => {
            if (error !== undefined) this.#giveUp(link, error);
            this.#onChange();
          },
        },
        this.#dependencies.logger,
      );
    }
  }

  /** The best request to make now. */
  choose(): { link: ParentLink; number: number } | undefined {
    const usable = this.links.filter((link) => !link.resting);
    const maxInFlight = Math.max(
      2,
      Math.ceil((this.#dependencies.settings.concurrentPieceCount * 1.5) / Math.max(usable.length, 1)),
    );
    const standings = usable.map(({ id, inFlight, weight }) => ({ id, inFlight, weight, maxInFlight }));
    const choice = this.#board.choose(standings);
    const link = choice === undefined ? undefined : this.#links.get(choice.parentId);
    return choice === undefined || link === undefined ? undefined : { link, number: choice.number };
  }

  /** Fetches one piece from one parent. Undefined when that failed: the piece is missing again, the parent judged. */
  async fetch(link: ParentLink, number: number, session: PeerSession | undefined): Promise<StoredPiece | undefined> {
    const { fetcher, settings, clock, downloadBudgets } = this.#dependencies;
    const offer = link.offerOf(number);
    const slice = this.#task.slice(number);
    if (offer === undefined || slice === undefined) return undefined;
    link.inFlight++;
    try {
      const fetched = await fetcher.fromParent({
        endpoint: offer.endpoint,
        taskId: this.#task.taskId,
        childPeerId: this.#peerId,
        slice,
        path: this.#task.path,
        signal: this.#signal,
        budgets: downloadBudgets(),
        idleTimeoutMs: settings.idleTimeoutMs,
        timeoutMs: settings.pieceTimeoutMs,
      });
      link.consecutiveFailures = 0;
      link.bytes += slice.length;
      return {
        ...slice,
        digest: fetched.digest,
        parentId: link.id,
        trafficType: TrafficType.REMOTE_PEER,
        costMs: fetched.costMs,
        createdAtMs: clock.now(),
      };
    } catch (thrown) {
      const error = toDfpeerError(thrown, 'DFP_PARENT_UNREACHABLE');
      if (!this.#signal.aborted) this.#judge(link, number, error, session);
      if (error.kind === 'disk') throw error;
      return undefined;
    } finally {
      link.inFlight--;
    }
  }

  /** Closes those that have ended and hold nothing that is missing. */
  pruneExhausted(): void {
    for (const link of this.links) {
      const useful = this.#board
        .missing()
        .some((number) => link.offerOf(number) !== undefined && this.#board.holders(number).includes(link.id));
      if (!link.streaming && link.inFlight === 0 && !useful) this.#remove(link);
    }
  }

  /** Everybody left is taken for stuck: they get on the list that a reschedule sends. */
  giveUpAll(reason: string): void {
    for (const link of this.links) this.#giveUp(link, new DfpeerError('DFP_STALLED', reason));
  }

  close(): void {
    for (const link of this.links) this.#remove(link);
  }

  #judge(link: ParentLink, number: number, error: DfpeerError, session: PeerSession | undefined): void {
    const { observer, logger, clock } = this.#dependencies;
    observer.pieceFailed('parent', error.code);
    logger.warn(
      { taskId: this.#task.taskId, parent: link.id, piece: number, code: error.code },
      `a piece could not be fetched from a parent: ${error.message}`,
    );
    link.consecutiveFailures++;
    const lied = error.code === 'DFP_PIECE_DIGEST' || error.code === 'DFP_PARENT_PROTOCOL';
    const retryAfterMs =
      'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : undefined;
    // Busy is not broken: a parent that says when to come back gets more patience.
    const patience = retryAfterMs === undefined ? MAX_PARENT_FAILURES : MAX_BUSY_ANSWERS;
    if (lied) observer.badPiece(link.parent.hostId);
    if (lied || link.consecutiveFailures >= patience) {
      session?.pieceFailed({ pieceNumber: number, parentPeerId: link.id, temporary: true });
      this.#giveUp(link, error);
      return;
    }
    const restMs = Math.min(retryAfterMs ?? DEFAULT_REST_MS, MAX_REST_MS);
    link.rest(restMs);
    clock.after(restMs, this.#onChange, { unref: true });
  }

  #giveUp(link: ParentLink, error: DfpeerError): void {
    this.#dependencies.logger.warn(
      { taskId: this.#task.taskId, parent: link.id, code: error.code },
      `a parent is given up: ${error.message}`,
    );
    this.#failed.set(link.id, link.parent);
    this.#remove(link);
    this.#onChange();
  }

  #remove(link: ParentLink): void {
    link.close();
    this.#board.dropParent(link.id);
    this.#links.delete(link.id);
  }
}
