import { DfpeerError, OriginError, toDfpeerError } from '../../core/errors.js';
import { TrafficType, type PieceSlice, type StoredPiece } from '../../core/piece.js';
import type { FetchedPiece, OriginContent } from '../fetch/piece-fetcher.js';
import type { StoredTask } from '../store/stored-task.js';
import { mayRefuseRange } from '../fetch/origin/answer-checks.js';
import { isSameContent } from './open-task.js';
import type { NamedWaits } from './named-waits.js';
import type { OriginSource } from './origin-source.js';
import type { PieceBoard } from './piece-board.js';

export interface OriginPiecesContext {
  task: StoredTask;
  url: string;
  origin: OriginSource;
  /** As it was found at the start; undefined when it could not be asked then. */
  content: OriginContent | undefined;
  board: PieceBoard;
  waits: NamedWaits;
  now: () => number;
  /** The file must be ours alone: ends whatever else writes to it. */
  beforeStream: () => Promise<void>;
  /** Records a verified piece. */
  onPiece: (piece: StoredPiece) => Promise<void>;
}

/** What one attempt takes from the origin: piece by piece, or all in one stream where the origin has no ranges. */
export class OriginPieces {
  readonly #context: OriginPiecesContext;
  #content: Promise<OriginContent> | undefined;
  #streaming: Promise<void> | undefined;
  /** Pieces asked of the origin one by one. */
  readonly #ranges = new Set<Promise<void>>();
  #ignoresRange = false;
  #lostRace = false;

  constructor(context: OriginPiecesContext) {
    this.#context = context;
  }

  /** It is known, and gives single pieces: of one that does not, nothing can be had beside what others give. */
  get mayRace(): boolean {
    return this.takesRanges === true && !this.#lostRace && this.#streaming === undefined;
  }

  /** Undefined while the origin is not known. */
  get takesRanges(): boolean | undefined {
    const { content } = this.#context;
    return content && content.supportsRange && !this.#ignoresRange;
  }

  /**
   * Fetches one piece that others may give as well; it is not recorded. Undefined when it was stopped, or the origin failed: then it
   * is left to its own turn. @throws DfpeerError DFP_STORE_*
   */
  async race(number: number, signal: AbortSignal): Promise<StoredPiece | undefined> {
    const { task, content, origin, now } = this.#context;
    const slice = task.slice(number);
    if (slice === undefined || content === undefined || !this.mayRace || signal.aborted) return undefined;
    const fetching = origin.fetchPiece(content, task, slice, signal);
    const settled = fetching.then(() => undefined, () => undefined); // prettier-ignore
    this.#ranges.add(settled);
    try {
      const { digest, costMs } = await fetching;
      return { ...slice, digest, trafficType: TrafficType.BACK_TO_SOURCE, costMs, createdAtMs: now() };
    } catch (thrown) {
      const error = toDfpeerError(thrown, 'DFP_ORIGIN_UNREACHABLE');
      if (error.kind === 'disk' && !signal.aborted) throw error;
      if (!signal.aborted) this.#lostRace = true;
      return undefined;
    } finally {
      this.#ranges.delete(settled);
    }
  }

  /** Fetches and records one piece. @throws DfpeerError DFP_ORIGIN_*, DFP_STALLED, DFP_DEADLINE, DFP_STORE_* */
  async fetch(number: number): Promise<void> {
    const { task } = this.#context;
    const slice = task.slice(number);
    if (slice === undefined) throw new DfpeerError('DFP_INTERNAL', `task ${task.taskId} has no piece ${number}`);
    const content = await (this.#content ??= this.#findContent());
    if (!content.supportsRange || this.#ignoresRange) return this.#streamInstead(content);
    try {
      await this.#fetchRange(content, slice);
    } catch (error) {
      if (!(error instanceof OriginError) || !isAboutRange(error)) throw error;
      this.#ignoresRange = true;
      await this.#streamInstead(content);
    }
  }

  /** The whole content in one stream; a task of unknown length has it afterwards. Pieces that are stored are compared, not written again. */
  async stream(content: OriginContent): Promise<void> {
    const { task, origin, waits } = this.#context;
    const { pieceLength } = task.record;
    const storedNow = (): number[] => [...task.pieces()].map(({ number }) => number);
    let recording = Promise.resolve();
    const onPiece = (piece: FetchedPiece): Promise<void> => (recording = this.#record(piece));
    // What came block by block and was not recorded is written again.
    task.arrivals.clear();
    try {
      const contentLength = await origin.stream(content, task.path, { pieceLength, storedNow }, onPiece);
      if (task.layout === undefined)
        await waits.disk(`size task ${task.taskId}`, () => task.setContentLength(contentLength));
    } finally {
      // A stream that is aborted may end before its last piece is recorded.
      await recording.catch(() => undefined);
    }
  }

  async #fetchRange(content: OriginContent, slice: PieceSlice): Promise<void> {
    const { origin, task } = this.#context;
    const fetching = origin.fetchPiece(content, task, slice).then((piece) => this.#record(piece));
    this.#ranges.add(fetching);
    try {
      await fetching;
    } finally {
      this.#ranges.delete(fetching);
    }
  }

  /** The origin as it was found at the start, or is found now: what we have of another state must not be mixed with this one. */
  async #findContent(): Promise<OriginContent> {
    const { content: known, origin, task, url } = this.#context;
    if (known !== undefined) return known;
    const content = await origin.stat();
    if (isSameContent(task, content) !== true)
      throw new OriginError('DFP_ORIGIN_CHANGED', `${url} is not known to be what it was when its first pieces came`);
    return content;
  }

  /** The origin ignores Range, always or now and then: everything that is missing comes in one stream, alone with the file. */
  async #streamInstead(content: OriginContent): Promise<void> {
    await (this.#streaming ??= this.#streamAlone(content));
  }

  async #streamAlone(content: OriginContent): Promise<void> {
    const { board } = this.#context;
    for (const number of board.missing()) board.start(number);
    await this.#context.beforeStream();
    await Promise.allSettled(this.#ranges);
    await this.stream(content);
  }

  async #record(fetched: FetchedPiece): Promise<void> {
    const { task, url, waits, now, onPiece } = this.#context;
    const { slice, digest, costMs } = fetched;
    const known = task.piece(slice.number);
    if (known !== undefined && known.digest !== digest)
      throw new OriginError('DFP_ORIGIN_CHANGED', `piece ${known.number} of ${url} is not what it was`);
    if (known !== undefined) return;
    if (task.layout === undefined && slice.length < task.record.pieceLength)
      await waits.disk(`size task ${task.taskId}`, () => task.setContentLength(slice.offset + slice.length));
    await onPiece({ ...slice, digest, trafficType: TrafficType.BACK_TO_SOURCE, costMs, createdAtMs: now() });
  }
}

function isAboutRange({ code, status }: OriginError): boolean {
  return code === 'DFP_ORIGIN_RANGE' || (code === 'DFP_ORIGIN_STATUS' && mayRefuseRange(status));
}
