import type { ServerWritableStream } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import { open } from 'node:fs/promises';
import { abortReason } from '../../core/deadline.js';
import { DfpeerError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { TrafficType, type ByteRange, type PieceSlice, type StoredPiece } from '../../core/piece.js';
import { Wakeup } from '../../core/wakeup.js';
import type { DownloadTaskRequest__Output } from '../../generated/dfdaemon/v2/DownloadTaskRequest.js';
import type { DownloadTaskResponse } from '../../generated/dfdaemon/v2/DownloadTaskResponse.js';
import type { DownloadHandle, DownloadManager } from '../download/download-manager.js';
import { digestFile, expectDigest } from '../output/content-digest.js';
import type { DownloadMetrics } from '../metrics.js';
import { checkOutput, placeOutput } from '../output/output-file.js';
import type { StoredTask } from '../store/stored-task.js';
import type { TaskStore } from '../store/task-store.js';
import { toWirePiece, toWireSlice, type ClientDownload } from './download-message.js';
import type { SendMessage } from './handlers.js';

export type DownloadCall = ServerWritableStream<DownloadTaskRequest__Output, DownloadTaskResponse>;

/** Trailer of our own daemon: how the output was made. */
export const OUTPUT_METHOD_HEADER = 'dfpeer-output-method';
/** Initial metadata: unlike Dragonfly's daemon, this one leaves no output behind when a download fails. */
export const CLEANS_UP_HEADER = 'dfpeer-cleans-up';

export interface DownloadStreamDependencies {
  manager: DownloadManager;
  store: TaskStore;
  hostId: string;
  logger: Logger;
  metrics: DownloadMetrics;
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
  #current: StoredTask | undefined;
  #started: StoredTask | undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(
    dependencies: DownloadStreamDependencies,
    client: ClientDownload,
    send: SendMessage<DownloadTaskResponse>,
    signal: AbortSignal,
  ) {
    this.#dependencies = dependencies;
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
    const stored = this.#dependencies.store.get(this.#client.request.taskId);
    if (outputPath !== undefined) await checkOutput({ path: outputPath, overwrite, source: stored?.path });
    const handle = this.#dependencies.manager.start(this.#client.request, (task) => this.#follow(task));
    const onAbort = (): void => this.#wakeup.notify();
    this.#signal.addEventListener('abort', onAbort, { once: true });
    try {
      const task = await this.#tellUntilDone(handle);
      const unpin = task.pin();
      try {
        return await this.#deliver(task);
      } finally {
        unpin();
      }
    } finally {
      this.#signal.removeEventListener('abort', onAbort);
      this.#unsubscribe();
      handle.leave();
    }
  }

  #follow(task: StoredTask): void {
    this.#unsubscribe();
    this.#current = task;
    this.#unsubscribe = task.subscribe({
      onPiece: () => this.#wakeup.notify(),
      onComplete: () => this.#wakeup.notify(),
    });
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
      if (this.#current !== undefined) await this.#tell(this.#current, handle.peerId);
      if (ended !== undefined) return ended.task;
      await this.#wakeup.wait();
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
      const here = new Set(wanted.map(({ number }) => number).filter((number) => task.piece(number) !== undefined));
      await this.#send({
        ...ids,
        downloadTaskStartedResponse: this.#startedMessage(task, layout.contentLength, wanted),
      });
      for (const number of here) await this.#tellPiece(task, number, ids, TrafficType.LOCAL_PEER);
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
    const message = toWirePiece(trafficType === undefined ? piece : { ...piece, trafficType });
    if (this.#client.needPieceContent) message.content = await readPiece(task, piece);
    await this.#send({ ...ids, downloadPieceFinishedResponse: { piece: message } });
  }

  /** The output appears only after its digest was checked. */
  async #deliver(task: StoredTask): Promise<Metadata> {
    const { digest, outputPath, overwrite, forceHardLink, range } = this.#client;
    const metadata = new Metadata();
    const contentLength = task.layout?.contentLength ?? 0;
    const whole: ByteRange = { offset: 0, length: contentLength };
    const part = range?.(contentLength);
    if (digest !== undefined)
      expectDigest(
        await digestFile(task.path, digest.algorithm, part ?? whole, this.#signal),
        digest,
        this.#client.request.url,
      );
    if (outputPath === undefined) return metadata;
    const method = await placeOutput({
      source: task.path,
      path: outputPath,
      range: part,
      overwrite,
      forceHardLink,
      allowHardLink: true,
    });
    this.#dependencies.metrics.output(method);
    metadata.set(OUTPUT_METHOD_HEADER, method);
    return metadata;
  }
}

async function readPiece(task: StoredTask, piece: StoredPiece): Promise<Buffer> {
  const file = await open(task.path, 'r');
  try {
    const content = Buffer.allocUnsafe(piece.length);
    const { bytesRead } = await file.read(content, 0, piece.length, piece.offset);
    if (bytesRead !== piece.length)
      throw new DfpeerError('DFP_STORE_DAMAGED', `piece ${piece.number} of task ${task.taskId} is cut short on disk`);
    return content;
  } finally {
    await file.close();
  }
}
