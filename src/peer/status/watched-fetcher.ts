import { basename } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { toDfpeerError } from '../../core/errors.js';
import type {
  FetchCommon,
  FetchedPiece,
  OriginContent,
  OriginPieceRequest,
  OriginStreamRequest,
  ParentPiece,
  ParentPieceRequest,
  PieceFetcher,
} from '../fetch/piece-fetcher.js';
import type { HostLedger, HostTransfer } from './host-ledger.js';

export type FetchRoute = 'parent' | 'origin';

/** One piece, or one stream, on its way to us. */
export interface LiveFetch {
  /** Tells it from the others. */
  id: number;
  route: FetchRoute;
  taskId: string;
  /** The parent's address, or the origin's host. */
  address: string;
  protocol: 'http' | 'vortex' | 'origin';
  offset: number;
  /** Undefined: to the end of a content of unknown length. */
  length: number | undefined;
  bytes: number;
  /** Milliseconds since the Unix epoch. */
  sinceMs: number;
}

/** A fetcher that keeps the books of what is under way, by route and by host, and otherwise does what the inner one does. */
export class WatchedFetcher implements PieceFetcher {
  readonly #inner: PieceFetcher;
  readonly #ledger: HostLedger;
  readonly #clock: Clock;
  readonly #running = new Set<LiveFetch>();
  readonly #received: Record<FetchRoute, number> = { parent: 0, origin: 0 };
  #begun = 0;

  constructor(inner: PieceFetcher, ledger: HostLedger, clock: Clock) {
    this.#inner = inner;
    this.#ledger = ledger;
    this.#clock = clock;
  }

  /** What is under way now; at most as many as the inner fetcher takes. */
  list(): LiveFetch[] {
    return [...this.#running].map((fetch) => ({ ...fetch }));
  }

  /** Bytes that came since the start, also of pieces that failed later. */
  get receivedBytes(): Readonly<Record<FetchRoute, number>> {
    return { ...this.#received };
  }

  async fromParent(request: ParentPieceRequest): Promise<ParentPiece> {
    const { endpoint, slice } = request;
    const live = this.#begin('parent', request, { ...slice, address: endpoint.host, protocol: endpoint.protocol });
    const transfer = this.#ledger.begin(endpoint.host, 'downloads');
    return this.#watch(live, request, transfer, (watched) => this.#inner.fromParent(watched));
  }

  async fromOrigin(request: OriginPieceRequest): Promise<FetchedPiece> {
    const live = this.#begin('origin', request, { ...request.slice, ...originOf(request.origin) });
    return this.#watch(live, request, undefined, (watched) => this.#inner.fromOrigin(watched));
  }

  async streamFromOrigin(request: OriginStreamRequest): Promise<{ contentLength: number }> {
    const where = { offset: 0, length: request.origin.contentLength, ...originOf(request.origin) };
    const live = this.#begin('origin', request, where);
    return this.#watch(live, request, undefined, (watched) => this.#inner.streamFromOrigin(watched));
  }

  statOrigin(request: Parameters<PieceFetcher['statOrigin']>[0]): Promise<OriginContent> {
    return this.#inner.statOrigin(request);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #begin(
    route: FetchRoute,
    { path }: FetchCommon,
    where: Pick<LiveFetch, 'address' | 'protocol' | 'offset' | 'length'>,
  ): LiveFetch {
    const { address, protocol, offset, length } = where;
    const [id, sinceMs] = [++this.#begun, this.#clock.now()];
    // The store names its files by task.
    const live: LiveFetch = { id, route, taskId: basename(path), address, protocol, offset, length, bytes: 0, sinceMs };
    this.#running.add(live);
    return live;
  }

  async #watch<Request extends FetchCommon, Result extends object>(
    live: LiveFetch,
    request: Request,
    transfer: HostTransfer | undefined,
    fetch: (watched: Request) => Promise<Result>,
  ): Promise<Result> {
    const onProgress = (bytes: number): void => {
      this.#moved(live, bytes, transfer);
      request.onProgress?.(bytes);
    };
    try {
      const result = await fetch({ ...request, onProgress });
      if (live.length !== undefined) this.#moved(live, live.length, transfer);
      transfer?.end('complete');
      return result;
    } catch (thrown) {
      transfer?.end(request.signal.aborted ? 'aborted' : failureOf(thrown));
      throw thrown;
    } finally {
      this.#running.delete(live);
    }
  }

  /** @param total of this fetch so far */
  #moved(live: LiveFetch, total: number, transfer: HostTransfer | undefined): void {
    const fresh = Math.max(0, total - live.bytes);
    live.bytes += fresh;
    this.#received[live.route] += fresh;
    transfer?.moved(fresh);
  }
}

function originOf({ url }: OriginContent): Pick<LiveFetch, 'address' | 'protocol'> {
  return { address: URL.canParse(url) ? new URL(url).host : 'origin', protocol: 'origin' };
}

function failureOf(thrown: unknown): 'failed' | 'bad' {
  const { code } = toDfpeerError(thrown);
  return code === 'DFP_PIECE_DIGEST' || code === 'DFP_PARENT_PROTOCOL' ? 'bad' : 'failed';
}
