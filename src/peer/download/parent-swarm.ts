import { DfpeerError, hasCode, toDfpeerError } from '../../core/errors.js';
import { LIFE_PATIENCE_MS } from '../../scheduler-client/liveness.js';
import type { CandidateParent, PeerSession } from '../../scheduler-client/scheduler-client.js';
import { retryAfterMsOf } from '../fetch/fetch-errors.js';
import type { StoredTask } from '../store/stored-task.js';
import type { CollectedPiece } from './carriage.js';
import type { DownloadDependencies } from './dependencies.js';
import type { OffersRequest, PieceOffer } from '../parents/parent-dialer.js';
import { PARENT_PATIENCE_MS } from './origin-race.js';
import { MAX_PARENT_FAILURES, ParentLink } from './parent-link.js';
import { PieceSet } from '../../core/piece-set.js';
import { HeldPieces } from './held-pieces.js';
import { fetchFromParent } from './piece-from-parent.js';
import type { ParentStanding, PieceBoard } from './piece-board.js';

/** Parents of one download at a time; a scheduler offers a handful. */
export const MAX_PARENTS = 16;
/** How long a parent that has failed is left alone; longer when it says so. */
const MIN_REST_MS = 250;
export const MAX_REST_MS = 5_000;
/** Consecutive "come back later" answers after which a parent is given up. */
export const MAX_BUSY_ANSWERS = 20;
/** Pieces that a parent may offer and not have, one after the other; more, and it is given up. */
export const MAX_EMPTY_OFFERS = 100;

/** Of the pieces under way at once those that one of so many parents is asked for: somewhat more than its share. */
export function maxRequestsToOne(concurrentPieceCount: number, parents: number): number {
  return Math.max(2, Math.ceil((concurrentPieceCount * 1.5) / Math.max(parents, 1)));
}

/** The parents of one download: opens them, spreads requests over them, gives up those that fail. */
export class ParentSwarm {
  readonly #links = new Map<string, ParentLink>();
  /** Parents that failed us; a reschedule names them so that they don't come back. */
  readonly #failed = new Map<string, CandidateParent>();
  /** Hosts that gave this download a bad piece: they do not come back under another peer id. */
  readonly #liars = new Set<string>();
  readonly #dependencies: DownloadDependencies;
  readonly #board: PieceBoard;
  readonly #task: StoredTask;
  readonly #peerId: string;
  readonly #onChange: () => void;
  readonly #onBytes: () => void;
  readonly #onWord: () => void;
  readonly #demandsVersion: boolean;
  readonly #held: HeldPieces;
  #lastFailure: string | undefined;
  #isClosed = false;

  constructor(context: {
    dependencies: DownloadDependencies;
    board: PieceBoard;
    task: StoredTask;
    peerId: string;
    /** The content has changed lately: a parent that doesn't tell which state it has may have the old one. */
    demandsVersion: boolean;
    onChange: () => void;
    /** Bytes of a piece came. */
    onBytes: () => void;
    /** A parent answers, whether it has something or not. */
    onWord: () => void;
  }) {
    this.#dependencies = context.dependencies;
    this.#board = context.board;
    this.#task = context.task;
    this.#peerId = context.peerId;
    this.#onChange = context.onChange;
    this.#onBytes = context.onBytes;
    this.#onWord = context.onWord;
    this.#demandsVersion = context.demandsVersion;
    const { board, task } = context;
    this.#held = new HeldPieces(() => {
      const count = task.layout?.count ?? Infinity;
      const held = PieceSet.of(count, (number) => !board.isMissing(number));
      const here = PieceSet.of(count, (number) => task.piece(number) !== undefined);
      const streaming = this.links.filter((link) => link.streaming);
      return held && here && { held, here, parentHostIds: streaming.map(({ parent }) => parent.hostId) };
    });
  }

  /** Parents that have offered something or still may. */
  get alive(): boolean {
    return this.#links.size > 0;
  }

  /** Somebody's first word has come already; a parent that has nothing yet may say no other for long. */
  get speaking(): boolean {
    return this.links.some((link) => link.speaking);
  }

  /** How long a first word may take, in milliseconds; none is waited for where the last ones did not come. */
  get lifePatienceMs(): number {
    const { silentHosts } = this.#dependencies;
    return this.links.every(({ parent }) => silentHosts.has(parent.hostId)) ? 0 : LIFE_PATIENCE_MS;
  }

  /** How long parents that have spoken may send no byte, in milliseconds. */
  get piecesPatienceMs(): number {
    return this.#isUnreachable ? 0 : PARENT_PATIENCE_MS;
  }

  get links(): readonly ParentLink[] {
    return [...this.#links.values()];
  }

  /** Somebody failed since the last {@link takeFailed}: those left may have lived on it, as we did. */
  get hasFailed(): boolean {
    return this.#failed.size > 0;
  }

  /** Why a parent gave nothing, of the last one that failed. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  /** For people: nothing comes, as far as is known why. */
  get silence(): string {
    const why =
      this.#lastFailure ?? (this.#isUnreachable ? 'nobody here got through to their pieces lately' : undefined);
    return `the parents are silent${why === undefined ? '' : ` (${why})`}`;
  }

  /** Those that failed since the last call, in the scheduler's own words. */
  takeFailed(): CandidateParent[] {
    const failed = [...this.#failed.values()];
    this.#failed.clear();
    return failed;
  }

  /** They are asked what they have; nobody is once this is closed. Returns those that are new. */
  add(parents: readonly CandidateParent[]): CandidateParent[] {
    const added: CandidateParent[] = [];
    if (this.#isClosed) return added;
    for (const parent of parents) {
      if (this.#links.has(parent.peerId) || this.#links.size >= MAX_PARENTS) continue;
      // The scheduler was not told yet, and names it again.
      if (this.#failed.has(parent.peerId)) continue;
      if (this.#isUseless(parent)) {
        this.#failed.set(parent.peerId, parent);
        continue;
      }
      added.push(parent);
      const link = new ParentLink(parent, {
        clock: this.#dependencies.clock,
        dialer: this.#dependencies.parents,
        events: {
          onWord: ({ parent: { hostId } }) => {
            this.#dependencies.silentHosts.remove(hostId);
            this.#onWord();
          },
          onOffer: (from, offer) => this.#onOffer(from, offer),
          onEnd: (from, error) => {
            if (error !== undefined) this.#onFailure(from, error);
            this.#onChange();
          },
        },
      });
      this.#links.set(link.id, link);
      link.open({ ...this.#requestOf(this.#board.wanted()), peerId: this.#peerId }, this.#dependencies.logger);
      this.#held.changed();
    }
    return added;
  }

  /** A parent offers only what it was asked for: pieces that were not wanted before are asked of all. */
  ask(pieces: readonly number[]): void {
    if (pieces.length > 0) for (const link of this.links) link.ask(this.#requestOf(pieces));
  }

  /** A piece was asked for, or is missing again. */
  missingChanged(): void {
    this.#held.changed();
  }

  /** The best request to make now. */
  choose(): { link: ParentLink; number: number } | undefined {
    const choice = this.#board.choose(this.#standings());
    const link = choice === undefined ? undefined : this.#links.get(choice.parentId);
    return choice === undefined || link === undefined ? undefined : { link, number: choice.number };
  }

  /** Somebody else who offers this piece and has a slot free: the least burdened. */
  chooseFor(number: number, asked: readonly ParentLink[]): ParentLink | undefined {
    const holders = new Set(this.#board.holders(number));
    for (const { id } of asked) holders.delete(id);
    const [best] = this.#standings()
      .filter(({ id, inFlight, maxInFlight }) => holders.has(id) && inFlight < maxInFlight)
      .sort((a, b) => (a.inFlight + 1) / a.weight - (b.inFlight + 1) / b.weight);
    return best === undefined ? undefined : this.#links.get(best.id);
  }

  /** Fetches one piece from one parent. Undefined when it was aborted, or failed: then the parent is judged. @throws DfpeerError DFP_STORE_* */
  async fetch(
    link: ParentLink,
    number: number,
    session: PeerSession | undefined,
    signal: AbortSignal,
  ): Promise<CollectedPiece | undefined> {
    const offer = link.offerOf(number);
    const slice = this.#task.slice(number);
    if (offer === undefined || slice === undefined) return undefined;
    // Nothing is wanted any more of a parent that lied.
    const stop = AbortSignal.any([signal, link.abandoned]);
    link.inFlight++;
    try {
      const order = {
        link,
        offer,
        task: this.#task,
        slice,
        peerId: this.#peerId,
        signal: stop,
        onBytes: this.#onBytes,
      };
      const piece = await fetchFromParent(this.#dependencies, order);
      link.consecutiveFailures = 0;
      link.emptyOffers = 0;
      this.#dependencies.unreachableHosts.remove(link.parent.hostId);
      return piece;
    } catch (thrown) {
      const error = toDfpeerError(thrown);
      if (stop.aborted) return undefined;
      if (error.kind === 'disk') throw error;
      if (hasCode(error, 'DFP_PIECE_NOT_FOUND')) this.#withdraw(link, offer, error);
      else this.#judge(link, number, error, session);
      return undefined;
    } finally {
      link.inFlight--;
    }
  }

  /** Closes those that have ended and hold nothing that is missing. */
  pruneExhausted(): void {
    for (const link of this.links)
      if (!link.streaming && link.inFlight === 0 && !this.#hasMissing(link)) this.#remove(link);
  }

  /** Everybody left is taken for stuck: they get on the list that a reschedule sends. */
  giveUpAll(reason: string): void {
    for (const link of this.links) this.#giveUp(link, new DfpeerError('DFP_STALLED', reason));
  }

  close(): void {
    this.#isClosed = true;
    for (const link of this.links) this.#remove(link);
  }

  /** Nobody but hosts whose pieces were out of reach lately. */
  get #isUnreachable(): boolean {
    const { unreachableHosts } = this.#dependencies;
    return this.alive && this.links.every(({ parent }) => unreachableHosts.has(parent.hostId));
  }

  #isUseless(parent: CandidateParent): boolean {
    const { host, distrusted, logger } = this.#dependencies;
    const isUs = host.isAt(parent);
    // A container made anew has another name at the same address: the scheduler takes it for two hosts.
    if (isUs)
      logger.info(
        { parent: parent.peerId, ip: parent.ip, port: parent.port },
        'a host at our own address is no parent: it is a former life of this one, or host.ip is not unique in the cluster',
      );
    return isUs || this.#liars.has(parent.hostId) || distrusted.has(parent.hostId);
  }

  #requestOf(pieces: readonly number[]): OffersRequest {
    return { taskId: this.#task.taskId, pieces, held: this.#held, traceParent: this.#dependencies.tracer.traceParent };
  }

  #standings(): ParentStanding[] {
    const usable = this.links.filter((link) => !link.resting);
    const maxInFlight = maxRequestsToOne(this.#dependencies.settings.concurrentPieceCount, usable.length);
    const { unreachableHosts } = this.#dependencies;
    return usable.map(({ id, inFlight, weight, parent }) => ({
      id,
      inFlight,
      weight,
      // One piece is enough to find out whether it can be reached again.
      maxInFlight: unreachableHosts.has(parent.hostId) ? 1 : maxInFlight,
    }));
  }

  #onOffer(link: ParentLink, offer: PieceOffer): void {
    const slice = this.#task.slice(offer.number);
    if (slice?.offset !== offer.offset || slice.length !== offer.length)
      this.#giveUp(
        link,
        new DfpeerError(
          'DFP_PARENT_PROTOCOL',
          `parent ${link.id} offers a piece ${offer.number} that this task does not have`,
        ),
      );
    else if (this.#mayBeOtherContent(offer))
      this.#giveUp(
        link,
        new DfpeerError('DFP_PARENT_REFUSED', `parent ${link.id} may have another state of the origin's content`),
      );
    else if (this.#board.offer(link.id, offer.number)) this.#onChange();
  }

  #hasMissing(link: ParentLink): boolean {
    return this.#board
      .missing()
      .some((number) => link.offerOf(number) !== undefined && this.#board.holders(number).includes(link.id));
  }

  /** A parent that won't get the rest of the task still gives what it has offered, and does not come back after that. */
  #onFailure(link: ParentLink, error: DfpeerError): void {
    if (error.code !== 'DFP_TASK_FAILED' || !this.#hasMissing(link)) return this.#giveUp(link, error);
    this.#failed.set(link.id, link.parent);
    this.#dependencies.logger.info({ parent: link.id }, `a parent will offer no more: ${error.message}`);
  }

  #mayBeOtherContent({ contentVersion }: PieceOffer): boolean {
    const version = this.#task.contentVersion;
    return version === undefined || contentVersion === undefined ? this.#demandsVersion : version !== contentVersion;
  }

  /** It came no further there since it was offered; the parent offers it again as soon as it may be had. */
  #withdraw(link: ParentLink, offer: PieceOffer, error: DfpeerError): void {
    const { observer, logger } = this.#dependencies;
    observer.pieceFailed('parent', error.code);
    logger.debug({ parent: link.id, piece: offer.number }, `an offer is withdrawn: ${error.message}`);
    if (link.withdraw(offer)) this.#board.withdraw(link.id, offer.number);
    if (++link.emptyOffers > MAX_EMPTY_OFFERS && !link.lost) this.#giveUp(link, error);
  }

  #judge(link: ParentLink, number: number, error: DfpeerError, session: PeerSession | undefined): void {
    const { observer, logger, clock, unreachableHosts } = this.#dependencies;
    const { hostId } = link.parent;
    observer.pieceFailed('parent', error.code);
    this.#lastFailure = error.message;
    logger.warn(
      { parent: link.id, piece: number, code: error.code },
      `a piece could not be fetched from a parent: ${error.message}`,
    );
    // What was asked together fails together: that counts once.
    if (!link.resting) link.consecutiveFailures++;
    const lied = error.code === 'DFP_PIECE_DIGEST' || error.code === 'DFP_PARENT_PROTOCOL';
    const retryAfterMs = retryAfterMsOf(error, clock.now());
    const isUnreachable = error.code === 'DFP_PARENT_UNREACHABLE';
    const mostFailures = isUnreachable && unreachableHosts.has(hostId) ? 1 : MAX_PARENT_FAILURES;
    // Busy is not broken: a parent that says when to come back gets more patience.
    const patience = retryAfterMs === undefined ? mostFailures : MAX_BUSY_ANSWERS;
    if (lied) this.#distrust(hostId, error);
    if (lied || link.consecutiveFailures >= patience) {
      if (isUnreachable) unreachableHosts.add(hostId);
      session?.pieceFailed({ pieceNumber: number, parentPeerId: link.id, temporary: true });
      if (!link.lost) this.#giveUp(link, error);
      return;
    }
    const restMs = Math.min(Math.max(retryAfterMs ?? 0, MIN_REST_MS), MAX_REST_MS);
    link.rest(restMs, this.#onChange);
  }

  /** Everything that is under way from this host is dropped at once. */
  #distrust(hostId: string, error: DfpeerError): void {
    this.#dependencies.observer.badPiece(hostId);
    this.#dependencies.distrusted.strike(hostId);
    this.#liars.add(hostId);
    for (const link of this.links) {
      if (link.parent.hostId !== hostId) continue;
      link.abandon();
      this.#giveUp(link, error);
    }
  }

  #giveUp(link: ParentLink, error: DfpeerError): void {
    this.#dependencies.logger.warn({ parent: link.id, code: error.code }, `a parent is given up: ${error.message}`);
    this.#failed.set(link.id, link.parent);
    this.#lastFailure = error.message;
    this.#remove(link);
    this.#onChange();
  }

  #remove(link: ParentLink): void {
    if (link.wasSilentFor(LIFE_PATIENCE_MS)) this.#dependencies.silentHosts.add(link.parent.hostId);
    link.close();
    this.#board.dropParent(link.id);
    this.#links.delete(link.id);
    this.#held.changed();
  }
}
