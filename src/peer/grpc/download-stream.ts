import { Metadata } from '@grpc/grpc-js';
import { open } from 'node:fs/promises';
import type { Clock } from '../../core/clock.js';
import { abortReason } from '../../core/deadline.js';
import { DfpeerError, hasCode } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { TrafficType, type ByteRange, type PieceSlice, type StoredPiece } from '../../core/piece.js';
import { formatTaskDigest, type TaskDigest } from '../../core/task-digest.js';
import { Wakeup } from '../../core/wakeup.js';
import type { DownloadTaskResponse } from '../../generated/dfdaemon/v2/DownloadTaskResponse.js';
import { OUTPUT_METHOD_KEY, STORY_KEY } from '../../grpc/metadata-keys.js';
import type { DownloadHandle, DownloadManager } from '../download/download-manager.js';
import type { DownloadRequest } from '../download/download-request.js';
import { digestFile, expectDigest } from '../output/content-digest.js';
import type { DownloadMetrics } from '../metrics.js';
import { checkOutput } from '../output/output-file.js';
import { placeOutput } from '../output/place-output.js';
import type { StoredTask } from '../store/stored-task.js';
import type { TaskStore } from '../store/task-store.js';
import { toWirePiece, toWireSlice, type ClientDownload } from './download-message.js';
import type { SendMessage } from '../../grpc/handlers.js';
import { encodeStory } from './story-message.js';

export interface DownloadStreamDependencies {
  manager: DownloadManager;
  store: TaskStore;
  hostId: string;
  logger: Logger;
  metrics: DownloadMetrics;
  clock: Clock;
}

/** One client's DownloadTask: the started message, each piece as it comes, then the output. */
export class DownloadStream {
  readonly #dependencies: DownloadStreamDependencies;
  readonly #client: ClientDownload;
  readonly #send: SendMessage<DownloadTaskResponse>;
  readonly #signal: AbortSignal;
  readonly #wakeup = new Wakeup();
  /** Wanted pieces that the client has not been told of. Bounded by the task's piece count. */
  readonly #untold = new Set<number>();
  /** Stored before this call. A length that is known only at the end must not make all of it look so. */
  #here: ReadonlySet<number> = new Set();
  #current: StoredTask | undefined;
  #started: StoredTask | undefined;
  #unfollow: () => void = () => undefined;
  readonly #askedMs: number;
  #hasFirstPiece = false;

  constructor(
    dependencies: DownloadStreamDependencies,
    client: ClientDownload,
    send: SendMessage<DownloadTaskResponse>,
    signal: AbortSignal,
  ) {
    this.#dependencies = dependencies;
    this.#askedMs = dependencies.clock.monotonicMs();
    this.#client = client;
    this.#send = send;
    this.#signal = signal;
  }

  /** Resolves with the trailer's metadata once everything was sent and the output is in place. */
  async run(): Promise<Metadata> {
    const { tag, application, priority } = this.#client.request;
    const end = this.#dependencies.metrics.begin({ type: '0', tag, app: application, priority: String(priority) });
    try {
      const metadata = await this.#run();
      end(this.#current?.layout?.contentLength ?? 0);
      return metadata;
    } catch (error) {
      end(undefined);
      throw error;
    }
  }

  async #run(): Promise<Metadata> {
    const { outputPath, overwrite } = this.#client;
    const stored = await this.#dependencies.store.settled(this.#client.request.taskId);
    if (outputPath !== undefined) await checkOutput({ path: outputPath, overwrite, source: stored?.path });
    const { request } = this.#client;
    try {
      return await this.#download(request);
    } catch (error) {
      if (stored?.complete !== true || !hasCode(error, 'DFP_DIGEST_MISMATCH')) throw error;
      // What was here before may be an earlier state of the origin's content.
      return await this.#download({ ...request, doubtsComplete: true });
    }
  }

  async #download(request: DownloadRequest): Promise<Metadata> {
    this.#started = this.#current = undefined;
    const handle = this.#dependencies.manager.start(request, (task) => this.#follow(task));
    if (this.#client.prefetch) this.#prefetch();
    const onAbort = (): void => this.#wakeup.notify();
    this.#signal.addEventListener('abort', onAbort, { once: true });
    try {
      const task = await this.#tellUntilDone(handle);
      const metadata = await this.#deliver(task, handle.peerId);
      metadata.set(STORY_KEY, encodeStory(handle.facts()));
      return metadata;
    } finally {
      this.#signal.removeEventListener('abort', onAbort);
      this.#unfollow();
      handle.leave();
    }
  }

  /** The rest of the task, for the next client: goes on without this one, and its failure is not this one's. */
  #prefetch(): void {
    const { manager, logger } = this.#dependencies;
    const { request } = this.#client;
    if (request.range === undefined) return;
    const handle = manager.start({ ...request, range: undefined }, () => undefined);
    handle.done
      .catch((error: unknown) => logger.info({ err: error, taskId: request.taskId }, 'the rest was not prefetched'))
      .finally(() => handle.leave());
  }

  #follow(task: StoredTask): void {
    this.#unfollow();
    this.#current = task;
    this.#here = new Set([...task.pieces()].map(({ number }) => number));
    const unsubscribe = task.subscribe({
      onPiece: () => this.#wakeup.notify(),
      onComplete: () => this.#wakeup.notify(),
    });
    // From now until the output is in place: between the two it is not being downloaded any more.
    const unpin = task.pin();
    this.#unfollow = () => {
      unsubscribe();
      unpin();
    };
    this.#wakeup.notify();
  }

  async #tellUntilDone(handle: DownloadHandle): Promise<StoredTask> {
    let outcome: { task: StoredTask } | { error: unknown } | undefined;
    handle.done.then(
      (task) => (outcome = { task }),
      (error: unknown) => (outcome = { error }),
    ).finally(() => this.#wakeup.notify()); // prettier-ignore
    for (;;) {
      if (this.#signal.aborted) throw abortReason(this.#signal, 'the download');
      const ended = outcome;
      if (ended !== undefined && 'error' in ended) throw ended.error;
      if (this.#current !== undefined) await this.#tellOf(this.#current, handle.peerId, ended !== undefined);
      if (ended !== undefined) return ended.task;
      // Others may want more of the task; who wants a range need not wait for them.
      if (this.#client.range !== undefined && this.#started !== undefined && this.#untold.size === 0)
        return this.#started;
      await this.#wakeup.wait();
    }
  }

  /** A changed origin has the task removed, maybe while its bytes are read: the next one follows, or the download's failure. */
  async #tellOf(task: StoredTask, peerId: string, hasEnded: boolean): Promise<void> {
    try {
      await this.#tell(task, peerId);
    } catch (error) {
      if (hasEnded || !task.removed) throw error;
    }
  }

  /** What is known so far and was not told yet. Before the length is known there is nothing to tell. */
  async #tell(task: StoredTask, peerId: string): Promise<void> {
    const { layout } = task;
    if (layout === undefined) return;
    const ids = { hostId: this.#dependencies.hostId, taskId: task.taskId, peerId };
    if (this.#started !== task) {
      this.#started = task;
      const wanted = this.#wantedSlices(task);
      this.#untold.clear();
      for (const { number } of wanted) this.#untold.add(number);
      await this.#send({
        ...ids,
        downloadTaskStartedResponse: this.#startedMessage(task, layout.contentLength, wanted),
      });
      for (const number of this.#untold)
        if (this.#here.has(number)) await this.#tellPiece(task, number, ids, TrafficType.LOCAL_PEER);
    }
    for (const number of this.#untold) if (task.piece(number) !== undefined) await this.#tellPiece(task, number, ids);
  }

  #startedMessage(
    task: StoredTask,
    contentLength: number,
    wanted: readonly PieceSlice[],
  ): NonNullable<DownloadTaskResponse['downloadTaskStartedResponse']> {
    const range = this.#client.range?.(contentLength);
    return {
      contentLength,
      responseHeader: task.record.responseHeader,
      pieces: wanted.map(toWireSlice),
      isFinished: task.complete,
      ...(range === undefined ? {} : { range: { start: range.offset, length: range.length } }),
    };
  }

  #wantedSlices(task: StoredTask): PieceSlice[] {
    const { layout } = task;
    if (layout === undefined) return [];
    const { range } = this.#client;
    return range === undefined ? layout.all() : layout.covering(range(layout.contentLength));
  }

  async #tellPiece(
    task: StoredTask,
    number: number,
    ids: { hostId: string; taskId: string; peerId: string },
    trafficType?: TrafficType,
  ): Promise<void> {
    const piece = task.piece(number);
    if (piece === undefined || !this.#untold.delete(number)) return;
    this.#count(trafficType ?? piece.trafficType, piece.length);
    const message = toWirePiece(trafficType === undefined ? piece : { ...piece, trafficType });
    const { needPieceContent } = this.#client;
    if (needPieceContent) message.content = await readPiece(task, piece);
    await this.#send({ ...ids, downloadPieceFinishedResponse: { piece: message } }, needPieceContent);
  }

  #count(trafficType: TrafficType, bytes: number): void {
    const { metrics, clock } = this.#dependencies;
    if (trafficType === TrafficType.LOCAL_PEER) metrics.pieceFoundHere(bytes);
    if (!this.#hasFirstPiece) metrics.firstPiece(trafficType, clock.monotonicMs() - this.#askedMs);
    this.#hasFirstPiece = true;
  }

  /** The output appears only after its digest was checked. */
  async #deliver(task: StoredTask, peerId: string): Promise<Metadata> {
    const { digest, outputPath, overwrite, forceHardLink, allowHardLink, outputMode, range } = this.#client;
    const metadata = new Metadata();
    const contentLength = task.layout?.contentLength ?? 0;
    const part = range?.(contentLength);
    if (digest !== undefined) await this.#verify(task, digest, part);
    if (outputPath === undefined) return metadata;
    const method = await placeOutput({
      source: task.path,
      path: outputPath,
      contentLength,
      range: part,
      overwrite,
      forceHardLink,
      allowHardLink,
      mode: outputMode,
      assertUntouched: () => task.assertUntouched(),
      signal: this.#signal,
    });
    this.#dependencies.metrics.output(method);
    this.#dependencies.logger.info({ taskId: task.taskId, peerId, path: outputPath, method }, 'the output is in place');
    metadata.set(OUTPUT_METHOD_KEY, method);
    return metadata;
  }

  /** @throws DfpeerError DFP_DIGEST_MISMATCH, DFP_STORE_DAMAGED, DFP_TASK_NOT_FOUND */
  async #verify(task: StoredTask, digest: TaskDigest, range: ByteRange | undefined): Promise<void> {
    const whole: ByteRange = { offset: 0, length: task.layout?.contentLength ?? 0 };
    const found = await digestFile(task.path, digest.algorithm, range ?? whole, this.#signal);
    await task.assertUntouched();
    if (found.value !== digest.value) await this.#dropIfFromPeers(task);
    expectDigest(found, digest, this.#client.request.url);
    if (range === undefined && digest.algorithm === 'sha256') await this.#noteDigest(task, formatTaskDigest(digest));
  }

  /** Known from now on, whatever the disk says: a note that it does not take costs nobody his download. */
  async #noteDigest(task: StoredTask, digest: string): Promise<void> {
    await task.setContentDigest(digest).catch((error: unknown) => {
      this.#dependencies.logger.warn({ taskId: task.taskId, err: error }, 'the digest of a task could not be recorded');
    });
  }

  /** CRC-32 finds damage, not malice: what another peer may have forged is not kept, and not offered on. */
  async #dropIfFromPeers(task: StoredTask): Promise<void> {
    const { store, logger } = this.#dependencies;
    const isFromPeers = [...task.pieces()].some(({ trafficType }) => trafficType === TrafficType.REMOTE_PEER);
    if (!isFromPeers || store.get(task.taskId) !== task) return;
    logger.warn(
      { taskId: task.taskId },
      'the content is not what its digest says, and came from peers; the task is dropped and fetched again when it is wanted',
    );
    await store.remove(task.taskId);
  }
}

async function readPiece(task: StoredTask, piece: StoredPiece): Promise<Buffer> {
  const file = await open(task.path, 'r');
  try {
    const content = Buffer.allocUnsafe(piece.length);
    const { bytesRead } = await file.read(content, 0, piece.length, piece.offset);
    if (bytesRead !== piece.length)
      throw new DfpeerError('DFP_STORE_DAMAGED', `piece ${piece.number} of task ${task.taskId} is cut short on disk`);
    await task.assertUntouched();
    return content;
  } finally {
    await file.close();
  }
}
