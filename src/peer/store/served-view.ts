import type { ByteRange, PieceSlice, StoredPiece } from '../../core/piece.js';
import { blobDigestOf, type TaskId } from '../../core/task-id.js';
import type { PieceBlocks, ServedTask } from '../../upload/piece-source.js';
import type { SharedFile } from './shared-file.js';
import type { StoredTask } from './stored-task.js';

/** STANDARD in Dragonfly's TaskType: the only kind this store holds. */
const STANDARD_TASK = 0;

/** One object for each task, so that who counts by labels can recognise them. */
const labelsOfTask = new WeakMap<StoredTask, ServedTask['labels']>();

/** A task as the upload side sees it, pinned and its file held open until release(). */
export class ServedView implements ServedTask {
  readonly taskId: TaskId;
  readonly labels: ServedTask['labels'];
  readonly file: SharedFile;
  readonly pieceLength: number;
  readonly #task: StoredTask;
  readonly #unpin: () => void;
  readonly #releaseFile: () => void;

  constructor(task: StoredTask, file: SharedFile) {
    this.taskId = task.taskId;
    this.labels = labelsOf(task);
    this.file = file;
    this.pieceLength = task.record.pieceLength;
    this.#task = task;
    this.#unpin = task.pin();
    this.#releaseFile = file.acquire();
  }

  get contentLength(): number | undefined {
    return this.#task.record.contentLength;
  }

  get complete(): boolean {
    return this.#task.complete;
  }

  get contentDigest(): string | undefined {
    const { contentDigest, url } = this.#task.record;
    if (contentDigest !== undefined) return contentDigest;
    // The task is named by the digest of its content.
    return blobDigestOf(url) === this.taskId ? `sha256:${this.taskId}` : undefined;
  }

  get contentVersion(): string | undefined {
    return this.#task.contentVersion;
  }

  get downloading(): boolean {
    return this.#task.downloading;
  }

  piece(number: number): StoredPiece | undefined {
    return this.#task.piece(number);
  }

  blocks(number: number): PieceBlocks | undefined {
    return this.#task.arrivals.blocks(number);
  }

  slice(number: number): PieceSlice | undefined {
    return this.#task.slice(number);
  }

  has(range: ByteRange): boolean {
    return this.#task.has(range);
  }

  whenAvailable(range: ByteRange, signal: AbortSignal): Promise<void> {
    return this.#task.whenAvailable(range, signal);
  }

  /** Both halves do nothing the second time. */
  release(): void {
    this.#releaseFile();
    this.#unpin();
  }
}

function labelsOf(task: StoredTask): ServedTask['labels'] {
  const known = labelsOfTask.get(task);
  if (known !== undefined) return known;
  const { tag, application } = task.record;
  const labels = { type: STANDARD_TASK, tag, application };
  labelsOfTask.set(task, labels);
  return labels;
}
