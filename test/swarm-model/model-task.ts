import type { Clock } from '../../src/core/clock.js';
import { TrafficType, type StoredPiece } from '../../src/core/piece.js';
import type { TaskId } from '../../src/core/task-id.js';
import { Arrivals } from '../../src/peer/store/arrivals.js';
import { RememberedArrivals } from '../../src/peer/store/remembered-arrivals.js';
import type { TaskListener } from '../../src/peer/store/stored-task.js';
import type { AnnouncedTask } from '../../src/peer/swarm/announce-pieces.js';

/** Which pieces a node of the model has, as its children are told of them. */
export class ModelTask implements AnnouncedTask {
  readonly taskId: TaskId;
  readonly arrivals: Arrivals;
  readonly #count: number;
  readonly #pieces = new Map<number, StoredPiece>();
  readonly #listeners = new Set<TaskListener>();

  constructor(taskId: TaskId, count: number, { blockLength, clock }: { blockLength: number; clock: Clock }) {
    this.taskId = taskId;
    this.arrivals = new Arrivals(blockLength, { memory: new RememberedArrivals(), clock });
    this.#count = count;
  }

  get complete(): boolean {
    return this.#pieces.size === this.#count;
  }

  get downloading(): boolean {
    return !this.complete;
  }

  piece(number: number): StoredPiece | undefined {
    return this.#pieces.get(number);
  }

  subscribe(listener: TaskListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  add(number: number, length: number, isFromOrigin: boolean): void {
    const trafficType = isFromOrigin ? TrafficType.BACK_TO_SOURCE : TrafficType.REMOTE_PEER;
    const piece = { number, offset: number * length, length, digest: '', trafficType, costMs: 0, createdAtMs: 0 };
    this.#pieces.set(number, piece);
    for (const listener of [...this.#listeners]) listener.onPiece?.(piece);
    if (this.complete) for (const listener of [...this.#listeners]) listener.onComplete?.();
  }
}
