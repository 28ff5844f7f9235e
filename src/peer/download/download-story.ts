import type { Clock } from '../../core/clock.js';
import type { DfpeerError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { TrafficType, type StoredPiece } from '../../core/piece.js';
import { redactUrl } from '../../core/redact.js';
import type { CandidateParent } from '../../scheduler-client/scheduler-client.js';
import type { StoredTask } from '../store/stored-task.js';
import { type Carriage, CarriageBook, type CarriedBytes } from './carriage.js';
import type { DownloadRequest } from './download-request.js';

/** What a client may want to know of its download beyond the pieces. */
export interface DownloadFacts {
  /** From the begin to the first byte over the network, in milliseconds; absent when none has come. */
  firstByteMs?: number;
  /** Why bytes were fetched from the origin; absent when none were. */
  originReason?: string;
  /** What came from parents, and how it left them; absent when nothing did. */
  carried?: readonly CarriedBytes[];
}

/** One attempt in the log, from its begin to its end: what an operator greps for by task or peer id. */
export class DownloadStory {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #bytes = { parents: 0, origin: 0 };
  readonly #carried = new CarriageBook();
  #facts: DownloadFacts = {};
  #startedMs = 0;
  #pieces = 0;

  /** @param logger names task and peer in every line */
  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  get facts(): Readonly<DownloadFacts> {
    const carried = this.#carried.list();
    return carried.length === 0 ? this.#facts : { ...this.#facts, carried };
  }

  begins({ url, tag, application }: DownloadRequest): void {
    this.#startedMs = this.#clock.monotonicMs();
    this.#logger.info({ url: redactUrl(url), tag, application }, 'a download begins');
  }

  opened(task: StoredTask): void {
    const { layout, pieceCount } = task;
    const fields = { contentLength: layout?.contentLength, pieces: layout?.count, stored: pieceCount };
    this.#logger.info(fields, task.complete ? 'the task is stored already' : 'the task is open');
  }

  parents(parents: readonly CandidateParent[]): void {
    this.#logger.info({ parents: parents.map(named) }, 'fetching from parents');
  }

  moreParents(parents: readonly CandidateParent[]): void {
    this.#logger.info({ parents: parents.map(named) }, 'more parents have joined');
  }

  /** A byte has come over the network. */
  moved(): void {
    this.#facts.firstByteMs ??= this.#clock.monotonicMs() - this.#startedMs;
  }

  origin(reason: string): void {
    this.#facts.originReason = reason;
    this.#logger.info({ reason }, 'fetching from the origin');
  }

  /** The origin gives pieces while others are waited for. */
  raced(reason: string): void {
    if (this.#facts.originReason !== undefined) return;
    this.#facts.originReason = reason;
    this.#logger.info({ reason }, 'pieces are taken from the origin meanwhile');
  }

  stored({ number, length, trafficType, parentId, costMs }: StoredPiece): void {
    this.moved();
    this.#pieces++;
    this.#bytes[trafficType === TrafficType.BACK_TO_SOURCE ? 'origin' : 'parents'] += length;
    this.#logger.debug({ piece: number, length, from: parentId ?? 'origin', costMs }, 'a piece is stored');
  }

  carried({ parentId = '', length }: StoredPiece, carriage: Carriage): void {
    this.#carried.add(parentId, carriage, length);
  }

  ends(failure: DfpeerError | undefined): void {
    const durationMs = Math.round(this.#clock.monotonicMs() - this.#startedMs);
    const fields = { pieces: this.#pieces, bytes: this.#bytes, durationMs };
    if (failure === undefined) this.#logger.info(fields, 'a download is done');
    else this.#logger.warn({ ...fields, code: failure.code }, `a download failed: ${failure.message}`);
  }
}

function named({ peerId, ip }: CandidateParent): { parent: string; ip: string } {
  return { parent: peerId, ip };
}
