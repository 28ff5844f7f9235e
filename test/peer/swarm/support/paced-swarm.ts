import assert from 'node:assert/strict';
import { PieceSet } from '../../../../src/core/piece-set.js';
import { computeTaskId } from '../../../../src/core/task-id.js';
import { OfferPacing } from '../../../../src/peer/swarm/offer-pacing.js';
import type { PacedChild, Untold } from '../../../../src/peer/swarm/paced-child.js';
import type { UploadProgress } from '../../../../src/upload/index.js';
import type { UploadOutcome } from '../../../../src/upload/transfer/upload.js';
import { ManualClock } from '../../../support/manual-clock.js';

export const TASK = computeTaskId({ url: 'http://example.com/' });
export const PIECES = 100;
const PIECE_BYTES = 4 * 1024 * 1024;

export const ipOf = (index: number): string => `10.0.0.${index + 1}`;

type UploadState = { -readonly [key in keyof UploadProgress]: UploadProgress[key] };

/** Ends an upload. */
export type EndUpload = (durationMs: number, result?: UploadOutcome['result']) => void;

/** A child that has asked to be told of everything, again and again. */
export class Listener {
  readonly heard: number[] = [];
  readonly child: PacedChild;
  isNews: (number: number) => boolean = () => false;
  readonly #controller = new AbortController();

  constructor(pacing: OfferPacing, index: number) {
    this.child = pacing.join({ taskId: TASK, hostId: `host-${index}`, ip: ipOf(index) });
  }

  /** Of numbers from 0 on, the lowest that it lacks and has not heard of. */
  async listen(pieces: number): Promise<void> {
    const left = new Set(Array.from({ length: pieces }, (_, number) => number));
    const untold: Untold = {
      some: (isWanted) => [...left].some(isWanted),
      choose: (isWanted) => {
        const number = [...left].find(isWanted);
        if (number !== undefined) left.delete(number);
        return number;
      },
      isNews: (number) => this.isNews(number),
    };
    while (left.size > 0 && !this.#controller.signal.aborted)
      this.heard.push(...(await this.child.next(untold, this.#controller.signal)));
  }

  leave(): void {
    this.#controller.abort();
    this.child.leave();
  }
}

/** A parent of one task, its children, and time. */
export class PacedSwarm {
  readonly clock = new ManualClock();
  readonly #progress = new Map<EndUpload, UploadState>();
  readonly pacing = new OfferPacing(this.clock);

  upload(number: number, childIp: string): EndUpload {
    const task = { taskId: TASK, pieceLength: PIECE_BYTES };
    const spec = { task, range: { offset: number * PIECE_BYTES, length: PIECE_BYTES }, childIp };
    const { onUpload } = this.pacing;
    const progress: UploadState = { bytesSent: 0, waitingFor: 'client' };
    const end = onUpload(spec as unknown as Parameters<typeof onUpload>[0], progress);
    const endUpload: EndUpload = (durationMs, result = 'complete') =>
      end({ result, bytesSent: PIECE_BYTES, durationMs, waitedMs: 0 } as Parameters<typeof end>[0]);
    this.#progress.set(endUpload, progress);
    return endUpload;
  }

  progressOf(upload: EndUpload | undefined): UploadState {
    const progress = upload && this.#progress.get(upload);
    assert.ok(progress, 'it is under way');
    return progress;
  }

  /** The child takes all that it has heard of. */
  takeAll({ child, heard }: Listener): EndUpload[] {
    return heard.map((number) => this.upload(number, child.ip));
  }

  listeners(count: number): Listener[] {
    const all = Array.from({ length: count }, (_, index) => new Listener(this.pacing, index));
    for (const each of all) void each.listen(PIECES);
    return all;
  }

  says(
    index: number,
    isHeld: (number: number) => boolean,
    parentHostIds: string[] = [],
    isHere: (number: number) => boolean = isHeld,
    ip = ipOf(index),
  ): void {
    const [held, here] = [PieceSet.of(PIECES, isHeld), PieceSet.of(PIECES, isHere)];
    assert.ok(held !== undefined && here !== undefined);
    this.pacing.learn({ taskId: TASK, hostId: `host-${index}`, ip }, { held, here, parentHostIds });
  }

  async passes(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      await this.settled();
      this.clock.advance(50);
    }
    await this.settled();
  }

  /** Everything that can go on without time passing has gone on. */
  async settled(): Promise<void> {
    for (let turn = 0; turn < 200; turn++) {
      await Promise.resolve();
      this.clock.advance(0);
    }
  }
}

export const total = (all: readonly Listener[]): number => all.reduce((sum, { heard }) => sum + heard.length, 0);
export const counts = (all: readonly Listener[]): number[] => all.map(({ heard }) => heard.length);
