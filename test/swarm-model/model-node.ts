import assert from 'node:assert/strict';
import type { Clock } from '../../src/core/clock.js';
import { blockCount } from '../../src/core/piece-blocks.js';
import type { PieceSlice } from '../../src/core/piece.js';
import { PieceSet } from '../../src/core/piece-set.js';
import type { TaskId } from '../../src/core/task-id.js';
import { maxRequestsToOne } from '../../src/peer/download/parent-swarm.js';
import { PieceBoard } from '../../src/peer/download/piece-board.js';
import { MIN_ORIGIN_REQUESTS, MIN_PARENT_REQUESTS } from '../../src/peer/download/piece-collection.js';
import { TELL_INTERVAL_MS } from '../../src/peer/parents/tell-pieces.js';
import type { Arrival } from '../../src/peer/store/arrivals.js';
import type { UploadWait } from '../../src/upload/index.js';
import { announcePieces } from '../../src/peer/swarm/announce-pieces.js';
import { OfferPacing } from '../../src/peer/swarm/offer-pacing.js';
import { RequestWindow } from '../../src/peer/swarm/request-window.js';
import { ModelTask } from './model-task.js';
import type { SharedLines } from './shared-lines.js';

export const ORIGIN = 'origin';
/** As configured by default. */
const CONCURRENT_PIECE_COUNT = 8;

export interface ModelSurroundings {
  clock: Clock;
  lines: SharedLines;
  random: () => number;
  taskId: TaskId;
  pieceCount: number;
  pieceBytes: number;
  blockBytes: number;
  /** From a message's cause to what it brings about, in milliseconds: the network's time and that of busy processors. */
  latencyMs: () => number;
  /** Of a transfer on a crowded line. */
  weight: () => number;
  /** Ends it all. */
  signal: AbortSignal;
}

interface ModelParent {
  node: ModelNode;
  inFlight: number;
}

/** One node of a swarm: the daemon's own policies on what to tell, to ask and how much at once, with modelled messages and lines. */
export class ModelNode {
  readonly name: string;
  readonly #readsOrigin: boolean;
  readonly #surroundings: ModelSurroundings;
  readonly #pacing: OfferPacing;
  readonly #board: PieceBoard;
  readonly #task: ModelTask;
  readonly #parents = new Map<string, ModelParent>();
  readonly #parentWindow = new RequestWindow({ min: MIN_PARENT_REQUESTS, max: CONCURRENT_PIECE_COUNT });
  readonly #originWindow = new RequestWindow({ min: MIN_ORIGIN_REQUESTS, max: CONCURRENT_PIECE_COUNT });
  #isTellDue = false;
  doneAtMs: number | undefined;

  constructor(name: string, readsOrigin: boolean, surroundings: ModelSurroundings) {
    const { clock, random, taskId, pieceCount, blockBytes } = surroundings;
    this.name = name;
    this.#readsOrigin = readsOrigin;
    this.#surroundings = surroundings;
    this.#pacing = new OfferPacing(clock);
    this.#board = new PieceBoard(random, (number) => this.#pacing.copies(taskId, number));
    this.#task = new ModelTask(taskId, pieceCount, { blockLength: blockBytes, clock });
    for (let number = 0; number < pieceCount; number++) this.#board.want(number);
  }

  /** Begins to download, from the others or the origin. */
  start(others: readonly ModelNode[]): void {
    if (!this.#readsOrigin)
      for (const node of others) {
        this.#parents.set(node.name, { node, inFlight: 0 });
        this.#later(() => void node.#announceTo(this));
      }
    this.#tellSoon();
    this.#fill();
  }

  #later(work: () => void): void {
    const { clock, latencyMs } = this.#surroundings;
    clock.after(latencyMs(), work);
  }

  async #announceTo(childNode: ModelNode): Promise<void> {
    const { taskId, pieceCount, random, signal } = this.#surroundings;
    const child = this.#pacing.join({ taskId, hostId: childNode.name, ip: childNode.name });
    const announce = (number: number): Promise<void> => {
      this.#later(() => childNode.#onOffer(this.name, number));
      return Promise.resolve();
    };
    const interested = new Set(Array.from({ length: pieceCount }, (_, number) => number));
    await announcePieces(this.#task, interested, { child, takesBlocks: true, announce, random }, signal);
    child.leave();
  }

  #onOffer(parent: string, number: number): void {
    if (this.#board.offer(parent, number)) this.#fill();
  }

  #fill(): void {
    while (this.#ask());
  }

  /** False when there is nothing to ask for now. */
  #ask(): boolean {
    if (this.#readsOrigin) {
      const number = this.#board.inFlightCount < this.#originWindow.size ? this.#board.chooseInOrder() : undefined;
      if (number !== undefined) this.#fetchFromOrigin(number);
      return number !== undefined;
    }
    const choice = this.#board.inFlightCount < this.#parentWindow.size ? this.#choose() : undefined;
    const parent = choice && this.#parents.get(choice.parentId);
    if (choice === undefined || parent === undefined) return false;
    this.#fetch(choice.number, parent);
    return true;
  }

  #choose(): { parentId: string; number: number } | undefined {
    const maxInFlight = maxRequestsToOne(CONCURRENT_PIECE_COUNT, this.#parents.size);
    return this.#board.choose(
      [...this.#parents].map(([id, { inFlight }]) => ({ id, inFlight, maxInFlight, weight: 1 })),
    );
  }

  #fetch(number: number, parent: ModelParent): void {
    const { clock } = this.#surroundings;
    parent.inFlight++;
    this.#board.start(number);
    this.#tellSoon();
    const askedAtMs = clock.monotonicMs();
    const arrival = this.#task.arrivals.begin(this.#slice(number), { isFromOrigin: false });
    this.#later(() => {
      void parent.node.#upload(number, this.name, arrival).then(() => {
        parent.inFlight--;
        this.#task.arrivals.end(arrival);
        this.#finished(number, this.#parentWindow, parent.node.name, clock.monotonicMs() - askedAtMs);
      });
    });
  }

  #slice(number: number): PieceSlice {
    const { pieceBytes } = this.#surroundings;
    return { number, offset: number * pieceBytes, length: pieceBytes };
  }

  /** Block by block, each as soon as it is here. */
  async #upload(number: number, childName: string, arrival: Arrival): Promise<void> {
    const { clock, taskId, pieceBytes, signal } = this.#surroundings;
    const startedAtMs = clock.monotonicMs();
    const blocks = this.#task.arrivals.blocks(number);
    assert.ok(blocks, `${this.name} has piece ${number} or some of it`);
    const progress: { bytesSent: number; waitingFor: UploadWait } = { bytesSent: 0, waitingFor: 'client' };
    let waitedMs = 0;
    const task = { taskId, pieceLength: pieceBytes };
    const spec = { task, range: { offset: number * pieceBytes, length: pieceBytes }, childIp: childName };
    const end = this.#pacing.onUpload(spec as Parameters<OfferPacing['onUpload']>[0], progress);
    await this.#carry({ from: this.name, to: childName }, arrival, async (index) => {
      const sinceMs = clock.monotonicMs();
      progress.waitingFor = 'piece';
      await blocks.sum(index, signal);
      progress.waitingFor = 'client';
      waitedMs += clock.monotonicMs() - sinceMs;
    });
    const durationMs = clock.monotonicMs() - startedAtMs;
    end({ result: 'complete', bytesSent: pieceBytes, durationMs, waitedMs } as Parameters<typeof end>[0]);
  }

  async #carry(
    between: { from: string; to: string },
    { slice, blockLength, onBlock }: Arrival,
    waitForBlock: (index: number) => Promise<unknown>,
  ): Promise<void> {
    const { lines, weight } = this.#surroundings;
    const transferWeight = weight();
    for (let index = 0; index < blockCount(slice.length, blockLength); index++) {
      await waitForBlock(index);
      const bytes = Math.min(blockLength, slice.length - index * blockLength);
      await new Promise<void>((resolve) => lines.start({ ...between, bytes, weight: transferWeight }, resolve));
      onBlock(0);
    }
  }

  #fetchFromOrigin(number: number): void {
    const { clock } = this.#surroundings;
    this.#board.start(number);
    const startedAtMs = clock.monotonicMs();
    const arrival = this.#task.arrivals.begin(this.#slice(number), { isFromOrigin: true });
    void this.#carry({ from: ORIGIN, to: this.name }, arrival, () => Promise.resolve()).then(() => {
      this.#task.arrivals.end(arrival);
      this.#finished(number, this.#originWindow, ORIGIN, clock.monotonicMs() - startedAtMs);
    });
  }

  #finished(number: number, window: RequestWindow, peer: string, durationMs: number): void {
    const { clock, pieceBytes } = this.#surroundings;
    window.finished({ peer, bytes: pieceBytes, durationMs, atOnce: this.#board.inFlightCount });
    this.#board.done(number);
    this.#task.add(number, pieceBytes, peer === ORIGIN);
    if (this.#task.complete) this.doneAtMs = clock.monotonicMs();
    this.#tellSoon();
    this.#fill();
  }

  /** What it holds, to those who may give it the rest. */
  #tellSoon(): void {
    if (this.#isTellDue) return;
    this.#isTellDue = true;
    const { clock, taskId, pieceCount } = this.#surroundings;
    clock.after(TELL_INTERVAL_MS, () => {
      this.#isTellDue = false;
      const held = PieceSet.of(pieceCount, (number) => !this.#board.isMissing(number));
      const here = PieceSet.of(pieceCount, (number) => this.#task.piece(number) !== undefined);
      if (held === undefined || here === undefined) return;
      const who = { taskId, hostId: this.name, ip: this.name };
      const standing = { held, here, parentHostIds: [...this.#parents.keys()] };
      for (const { node } of this.#parents.values()) this.#later(() => node.#pacing.learn(who, standing));
    });
  }
}
