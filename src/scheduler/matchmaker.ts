import type { Clock } from '../core/clock.js';
import { abortReason } from '../core/deadline.js';
import type { SchedulerTimings } from './limits.js';
import type { SchedulerPeer, SchedulerTask, SourceClaim } from './model.js';
import { rootedParents, selectParents, usableParents, type SelectionOptions } from './parent-selection.js';
import { addParents, setParents } from './peer-edges.js';

export type MatchDecision =
  { kind: 'parents'; parents: SchedulerPeer[] } | { kind: 'back-to-source'; description: string };

interface Waiter {
  peer: SchedulerPeer;
  settle(decision: MatchDecision): void;
  reject(reason: Error): void;
}

export interface MatchmakerOptions {
  clock: Clock;
  timings: Pick<SchedulerTimings, 'parentWaitMs' | 'sourceStartMs'>;
  selection: SelectionOptions;
}

/**
 * Says for each peer who its parents are, or that it goes to the source. Of one task only one peer is sent to the source at a
 * time; the others wait until it has started, or take its place when it doesn't.
 */
export class Matchmaker {
  readonly #options: MatchmakerOptions;
  /** In the order they came; a peer's stream waits for one answer at a time, so their number is bounded by the streams. */
  readonly #waiting = new Map<SchedulerTask, Set<Waiter>>();

  constructor(options: MatchmakerOptions) {
    this.#options = options;
  }

  get waitingCount(): number {
    return [...this.#waiting.values()].reduce((sum, waiters) => sum + waiters.size, 0);
  }

  /** Resolves within parentWaitMs, or twice that when somebody has just been sent to the source. Rejects with the signal's reason, or with that of {@link forget}. */
  async match(peer: SchedulerPeer, signal: AbortSignal): Promise<MatchDecision> {
    if (signal.aborted) throw abortReason(signal, `scheduling of peer ${peer.id}`);
    return this.#decide(peer) ?? (await this.#wait(peer, signal));
  }

  /** Parents for a running peer beside those it has, until it has as many as one may have. They are its parents from now on. */
  findMore(peer: SchedulerPeer): SchedulerPeer[] {
    const room = this.#options.selection.maxParents - peer.parents.size;
    if (room <= 0) return [];
    const others = usableParents(peer).filter((parent) => !peer.parents.has(parent));
    const rooted = rootedParents(peer, others);
    const parents = selectParents(peer, others, rooted, { ...this.#options.selection, maxParents: room });
    addParents(peer, parents);
    return parents;
  }

  /** Somebody of the task started, finished, failed or left: whoever waits may have an answer now. */
  taskChanged(task: SchedulerTask): void {
    for (const waiter of [...(this.#waiting.get(task) ?? [])]) {
      const decision = this.#decide(waiter.peer);
      if (decision !== undefined) waiter.settle(decision);
    }
  }

  /** The peer said that it started, or will never start. */
  releaseSourceClaim(peer: SchedulerPeer): void {
    peer.sourceClaim?.cancelTimer();
    peer.sourceClaim = undefined;
  }

  /** Ends a peer's wait with an error. */
  forget(peer: SchedulerPeer, reason: Error): void {
    for (const waiter of [...(this.#waiting.get(peer.task) ?? [])]) if (waiter.peer === peer) waiter.reject(reason);
  }

  /** Undefined: somebody else is on the way to the source, and the peer better waits for it. */
  #decide(peer: SchedulerPeer): MatchDecision | undefined {
    if (peer.needBackToSource) return this.#sendToSource(peer, "the peer's need_back_to_source is set");
    const usable = usableParents(peer);
    const rooted = rootedParents(peer, usable);
    if (rooted.size > 0) return this.#giveParents(peer, usable, rooted);
    if (usable.some(isOnTheWay) || peer.disableBackToSource) return undefined;
    const except = [...peer.blocked].some((id) => peer.task.peers.has(id)) ? ', except those that were given up' : '';
    return this.#sendToSource(peer, `no other peer has the content, or is about to have it${except}`);
  }

  /** Its time is up: whatever there is. */
  #decideAtLast(peer: SchedulerPeer): MatchDecision {
    const usable = usableParents(peer);
    if (peer.disableBackToSource && usable.length > 0) return this.#giveParents(peer, usable, new Set());
    return this.#sendToSource(peer, 'no parent in time');
  }

  #giveParents(
    peer: SchedulerPeer,
    usable: readonly SchedulerPeer[],
    rooted: ReadonlySet<SchedulerPeer>,
  ): MatchDecision {
    const parents = selectParents(peer, usable, rooted, this.#options.selection);
    setParents(peer, parents);
    return { kind: 'parents', parents };
  }

  #sendToSource(peer: SchedulerPeer, description: string): MatchDecision {
    setParents(peer, []);
    this.releaseSourceClaim(peer);
    // Nobody should wait for one that is there already, or that must not go there.
    if (peer.state !== 'BackToSource' && !peer.disableBackToSource) peer.sourceClaim = this.#claimSource(peer.task);
    return { kind: 'back-to-source', description };
  }

  #claimSource(task: SchedulerTask): SourceClaim {
    const { clock, timings } = this.#options;
    const lapse = (): void => {
      claim.lapsed = true;
      this.taskChanged(task);
    };
    const cancelTimer = clock.after(timings.sourceStartMs, lapse, { unref: true });
    const claim: SourceClaim = { lapsed: false, cancelTimer };
    return claim;
  }

  #wait(peer: SchedulerPeer, signal: AbortSignal): Promise<MatchDecision> {
    const { clock, timings } = this.#options;
    const waiters = this.#waiting.get(peer.task) ?? new Set<Waiter>();
    this.#waiting.set(peer.task, waiters);
    return new Promise<MatchDecision>((resolve, reject) => {
      const leave = (): void => {
        cancelTimer();
        signal.removeEventListener('abort', onAbort);
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiting.get(peer.task) === waiters) this.#waiting.delete(peer.task);
      };
      const waiter: Waiter = {
        peer,
        settle: (decision) => (leave(), resolve(decision)),
        reject: (reason) => (leave(), reject(reason)),
      };
      const onAbort = (): void => waiter.reject(abortReason(signal, `scheduling of peer ${peer.id}`));
      let cancelTimer = clock.after(timings.parentWaitMs, () => {
        const decision = this.#decide(peer);
        if (decision !== undefined) return waiter.settle(decision);
        if (!usableParents(peer).some(isOnTheWay)) return waiter.settle(this.#decideAtLast(peer));
        // Rather a little longer than all who wait at the source at once.
        cancelTimer = clock.after(timings.parentWaitMs, () => waiter.settle(this.#decideAtLast(peer)));
      });
      signal.addEventListener('abort', onAbort, { once: true });
      waiters.add(waiter);
    });
  }
}

function isOnTheWay(peer: SchedulerPeer): boolean {
  return peer.sourceClaim?.lapsed === false;
}
