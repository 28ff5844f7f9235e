import { crc32 } from 'node:zlib';
import { sleep } from '../../src/core/deadline.js';
import { abortReason } from '../../src/core/deadline.js';
import { DfpeerError, toDfpeerError } from '../../src/core/errors.js';
import { formatPieceDigest, type ByteRange } from '../../src/core/piece.js';
import { parseTaskId } from '../../src/core/task-id.js';
import { ParentRefusedError } from '../../src/peer/fetch/fetch-errors.js';
import { THREAD_GRACE_MS } from '../../src/peer/fetch/fetch-call.js';
import type {
  FetchCommon,
  FetchedPiece,
  OriginContent,
  OriginPieceRequest,
  OriginStreamRequest,
  ParentPiece,
  ParentPieceRequest,
  PieceFetcher,
} from '../../src/peer/fetch/piece-fetcher.js';
import { THREAD_END_TIMEOUT_MS } from '../../src/peer/fetch/thread-pool.js';
import { Transfer } from '../../src/peer/fetch/transfer.js';
import type { Answer } from './exchange.js';
import type { MemoryDisk, MemoryFile } from './memory-disk.js';
import type { Random } from './random.js';
import type { SimulatedOrigin } from './simulated-origin.js';
import type { SimulatedParent } from './simulated-parent.js';
import type { VirtualClock } from './virtual-clock.js';

/** How long a fetch thread may go on writing after it was told to stop. */
const MAX_STOP_MS = 20;
/** A thread that hangs in a write is given up so long after the deadline of its fetch. */
const THREAD_PATIENCE_MS = THREAD_GRACE_MS + THREAD_END_TIMEOUT_MS;

interface Target {
  /** Undefined: read, but not written. */
  file: MemoryFile | undefined;
  offset: number;
  timeoutMs: number;
}

interface World {
  disk: MemoryDisk;
  origin: SimulatedOrigin;
  parents: readonly SimulatedParent[];
  clock: VirtualClock;
  random: Random;
  /** These bytes of the file are new. */
  onWritten: (range: ByteRange) => void;
}

/** Brings bytes from simulated origins and parents into a {@link MemoryDisk}, with the deadlines of the real transfer. */
export class SimulatedFetcher implements PieceFetcher {
  readonly #world: World;
  readonly #parents: ReadonlyMap<number, SimulatedParent>;
  inFlight = 0;
  /** Bytes came, or could have been written. */
  movedAtMs = 0;

  constructor(world: World) {
    this.#world = world;
    this.#parents = new Map(world.parents.map((parent) => [parent.candidate.port, parent]));
  }

  async fromParent(request: ParentPieceRequest): Promise<ParentPiece> {
    const { slice, endpoint, contentVersion } = request;
    const parent = this.#parents.get(endpoint.port);
    if (parent === undefined) throw new DfpeerError('DFP_INTERNAL', `nobody listens on port ${endpoint.port}`);
    return this.#transfer(request, parent.candidate.peerId, async (transfer) => {
      const answer = parent.answer(slice, this.#world.clock);
      // As the reader of an HTTP answer does.
      if (answer.contentVersion !== undefined && contentVersion !== undefined)
        if (answer.contentVersion !== contentVersion)
          answer.refusal ??= new ParentRefusedError('it has another state of the content now', { status: 206 });
      const piece = await this.#receive(request, slice, answer, transfer);
      return { slice, ...piece, toldRoute: undefined };
    });
  }

  async fromOrigin(request: OriginPieceRequest): Promise<FetchedPiece> {
    const { origin, slice } = request;
    return this.#transfer(request, 'the origin', async (transfer) => {
      const piece = await this.#receive(request, slice, this.#world.origin.get(origin, slice), transfer);
      return { slice, ...piece };
    });
  }

  async streamFromOrigin(request: OriginStreamRequest): Promise<{ contentLength: number }> {
    const { origin, pieceLength, path, stored = [], onPiece, timeoutMs } = request;
    const deliver = (piece: FetchedPiece, transfer: Transfer): void => {
      onPiece(piece).then(
        () => transfer.pieceAccepted(),
        (error: unknown) => transfer.abort(toDfpeerError(error)),
      );
    };
    return this.#transfer(
      request,
      'the origin',
      async (transfer) => {
        const answer = this.#world.origin.get(origin, undefined);
        await this.#await(answer, transfer);
        const file = this.#open(path);
        let offset = 0;
        for (let number = 0; offset < answer.bytes.length; number++) {
          const bytes = answer.bytes.subarray(offset, offset + pieceLength);
          const isWhole = answer.end === 'complete' || offset + pieceLength <= answer.bytes.length;
          const target = { file: stored.includes(number) ? undefined : file, offset, timeoutMs };
          await this.#writeChunks(target, { ...answer, bytes }, transfer);
          if (!isWhole) break;
          const slice = { number, offset, length: bytes.length };
          await transfer.deliver({ slice, digest: formatPieceDigest(crc32(bytes)), costMs: transfer.elapsedMs });
          offset += bytes.length;
        }
        await this.#end(answer, transfer);
        return { contentLength: answer.bytes.length };
      },
      deliver,
    );
  }

  async statOrigin(request: Parameters<PieceFetcher['statOrigin']>[0]): Promise<OriginContent> {
    const { url, requestHeader, trust, signal, timeoutMs } = request;
    return this.#transfer({ path: '', signal, timeoutMs, idleTimeoutMs: timeoutMs }, 'the origin', async (transfer) => {
      const { answer, content } = this.#world.origin.stat({ url, requestHeader, trust });
      await this.#await(answer, transfer);
      await this.#end(answer, transfer);
      return content;
    });
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  /** Settles only when nothing is written any more; an abort takes a while to get through, and bytes still arrive until then. */
  async #transfer<T>(
    { signal, timeoutMs, idleTimeoutMs, onProgress }: FetchCommon,
    waitingFor: string,
    work: (transfer: Transfer) => Promise<T>,
    deliver: (piece: FetchedPiece, transfer: Transfer) => void = () => undefined,
  ): Promise<T> {
    const { clock, random } = this.#world;
    if (signal.aborted) throw abortReason(signal, 'a fetch');
    this.inFlight++;
    const transfer: Transfer = new Transfer({
      waitingFor,
      timeoutMs,
      idleTimeoutMs,
      metered: false,
      reportsProgress: onProgress !== undefined,
      clock,
      port: {
        requestLease: () => undefined,
        reportProgress: (bytes) => onProgress?.(bytes),
        deliverPiece: (piece) => deliver(piece, transfer),
      },
    });
    const onAbort = (): void => {
      const cancel = clock.after(random.next() * MAX_STOP_MS, () => transfer.abort(abortReason(signal, waitingFor)));
      transfer.signal.addEventListener('abort', cancel, { once: true });
      cancelAbort = cancel;
    };
    let cancelAbort: () => void = () => undefined;
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await work(transfer);
    } finally {
      signal.removeEventListener('abort', onAbort);
      cancelAbort();
      transfer.close();
      this.inFlight--;
    }
  }

  async #receive(
    { path, timeoutMs }: FetchCommon,
    { offset }: ByteRange,
    answer: Answer,
    transfer: Transfer,
  ): Promise<{ digest: string; costMs: number }> {
    await this.#await(answer, transfer);
    await this.#writeChunks({ file: this.#open(path), offset, timeoutMs }, answer, transfer);
    await this.#end(answer, transfer);
    return { digest: formatPieceDigest(crc32(answer.bytes)), costMs: transfer.elapsedMs };
  }

  async #await(answer: Answer, transfer: Transfer): Promise<void> {
    await sleep(answer.headMs, transfer.signal, this.#world.clock);
    if (answer.refusal !== undefined) throw answer.refusal;
  }

  async #writeChunks({ file, offset, timeoutMs }: Target, answer: Answer, transfer: Transfer): Promise<void> {
    const { clock } = this.#world;
    for (let done = 0; done < answer.bytes.length;) {
      await sleep(answer.msPerChunk, transfer.signal, clock);
      await this.#blockWhileDiskHangs(timeoutMs);
      this.movedAtMs = clock.monotonicMs();
      const chunk = answer.bytes.subarray(done, done + answer.chunkBytes);
      try {
        if (file !== undefined) this.#world.disk.write(file, offset + done, chunk);
      } catch (cause) {
        throw toDfpeerError(cause, 'DFP_STORE_IO');
      }
      if (file !== undefined) this.#world.onWritten({ offset: offset + done, length: chunk.length });
      done += chunk.length;
      transfer.received(chunk.length);
    }
  }

  /** Nothing gets through to a thread in a blocking write; it is given up at last. */
  async #blockWhileDiskHangs(timeoutMs: number): Promise<void> {
    const { disk, clock } = this.#world;
    if (disk.hang === undefined) return;
    const patience = new Promise<void>((resolve) => clock.script(timeoutMs + THREAD_PATIENCE_MS, resolve));
    await Promise.race([disk.hang.over, patience]);
    if (disk.hang !== undefined) throw new DfpeerError('DFP_STORE_IO', 'a fetch thread does not answer');
  }

  async #end(answer: Answer, transfer: Transfer): Promise<void> {
    if (answer.end === 'stalls') await sleep(Number.MAX_SAFE_INTEGER, transfer.signal, this.#world.clock);
    if (answer.end instanceof DfpeerError) throw answer.end;
    transfer.throwIfAborted();
  }

  #open(path: string): MemoryFile {
    const file = this.#world.disk.files.get(parseTaskId(path));
    if (file === undefined) throw new DfpeerError('DFP_STORE_IO', `cannot write ${path}: ENOENT`);
    return file;
  }
}
