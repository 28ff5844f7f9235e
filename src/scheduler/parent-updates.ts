import type { Clock } from '../core/clock.js';
import type { SchedulerPeer, SchedulerTask } from './model.js';

/** Peers that want a task at the same moment join one after the other: so long they are gathered. */
export const GATHER_JOINS_MS = 100;
/** Between two rounds of one task. */
export const MIN_UPDATE_INTERVAL_MS = 500;

/** A peer that can be told of further parents while it downloads. */
export interface UpdatedPeer {
  readonly peer: SchedulerPeer;
  /** False while it waits for an answer, doesn't read, or isn't downloading from parents: then it is left out of a round. */
  isReady(): boolean;
  /** Never empty. */
  tell(parents: SchedulerPeer[]): void;
}

interface Audience {
  peers: Set<UpdatedPeer>;
  /** Pending while a round is due. */
  cancelRound: (() => void) | undefined;
  lastRoundMs: number;
}

export interface ParentUpdatesOptions {
  clock: Clock;
  /** Those that have been found for the peer beside its parents; empty when it has enough. */
  findMore: (peer: SchedulerPeer) => SchedulerPeer[];
}

/**
 * Tells running peers of parents that joined after them. Without, who comes first only takes from the origin's peer and who comes last has
 * nobody to give to: half the links of a task would stand idle. Bounded by the streams.
 */
export class ParentUpdates {
  readonly #options: ParentUpdatesOptions;
  readonly #audiences = new Map<SchedulerTask, Audience>();

  constructor(options: ParentUpdatesOptions) {
    this.#options = options;
  }

  /** Returns how to end it. */
  subscribe(updated: UpdatedPeer): () => void {
    const { task } = updated.peer;
    const audience = this.#audiences.get(task) ?? {
      peers: new Set(),
      cancelRound: undefined,
      lastRoundMs: Number.NEGATIVE_INFINITY,
    };
    this.#audiences.set(task, audience);
    audience.peers.add(updated);
    return () => {
      audience.peers.delete(updated);
      if (audience.peers.size > 0 || this.#audiences.get(task) !== audience) return;
      audience.cancelRound?.();
      this.#audiences.delete(task);
    };
  }

  /** Somebody of the task may give from now on, or doesn't any longer. */
  taskChanged(task: SchedulerTask): void {
    const audience = this.#audiences.get(task);
    if (audience === undefined || audience.cancelRound !== undefined) return;
    const { clock } = this.#options;
    const pauseMs = audience.lastRoundMs + MIN_UPDATE_INTERVAL_MS - clock.monotonicMs();
    const round = (): void => {
      audience.cancelRound = undefined;
      audience.lastRoundMs = clock.monotonicMs();
      this.#tell(audience);
    };
    audience.cancelRound = clock.after(Math.max(GATHER_JOINS_MS, pauseMs), round, { unref: true });
  }

  #tell({ peers }: Audience): void {
    for (const updated of peers) {
      if (!updated.isReady()) continue;
      const parents = this.#options.findMore(updated.peer);
      if (parents.length > 0) updated.tell(parents);
    }
  }
}
