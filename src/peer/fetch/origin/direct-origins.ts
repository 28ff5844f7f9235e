import { formatRangeHeader } from '../../../core/byte-range.js';
import type { Environment } from '../../../core/environment.js';
import { DfpeerError, hasCode, messageOf, OriginError } from '../../../core/errors.js';
import { hostOfUrl } from '../../../core/host-port.js';
import { ConnectionPool } from '../connection/connection-pool.js';
import { exchange } from '../connection/exchange.js';
import type { FetchedPiece, OriginLocation, OriginTrust } from '../piece-fetcher.js';
import type { Transfer } from '../transfer.js';
import type { OriginPieceOrder } from './fetch-origin-piece.js';
import { MAX_CONNECTIONS_PER_ORIGIN } from './origin-client.js';
import type { OriginGuard } from './origin-guard.js';
import { OriginPieceReader } from './origin-piece-reader.js';
import { chooseProxy } from './proxy-choice.js';
import { firstRequest, headersOnWire } from './request-headers.js';

/** For less, the connection that asked for the length is the quicker one. */
export const MIN_DIRECT_BYTES = 1024 * 1024;
const PLAIN_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PLAIN_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export interface DirectOriginsOptions {
  guard: OriginGuard;
  connectTimeoutMs?: number | undefined;
  connectionsPerOrigin?: number | undefined;
  environment?: Environment | undefined;
  /** Default {@link MIN_DIRECT_BYTES}. */
  minBytes?: number;
}

/**
 * Pieces of http origins, read into one large reused buffer like those of parents: that takes half the time of an HTTP library's
 * chunks. Only what is plain; all else, and every unusual answer, is left to {@link OriginClient}.
 */
export class DirectOrigins {
  readonly #options: DirectOriginsOptions;
  /** Apart, so that a connection opened for a local user never serves a request from the network. */
  readonly #pools: Readonly<Record<OriginTrust, ConnectionPool>>;
  readonly #inFlight = new Map<string, number>();

  constructor(options: DirectOriginsOptions) {
    this.#options = options;
    this.#pools = { 'local-user': this.#makePool('local-user'), network: this.#makePool('network') };
  }

  /** Undefined when it is not for us. @throws OriginError DFP_ORIGIN_*, DfpeerError DFP_STORE_* and DFP_CONFIG; the transfer's reason to abort */
  async fetch(order: OriginPieceOrder, transfer: Transfer): Promise<FetchedPiece | undefined> {
    const { origin, slice } = order;
    const location = origin.location ?? firstRequest(origin.url, origin.requestHeader);
    const url = this.#options.guard.checkUrl(location.url, origin.trust);
    if (slice.length < (this.#options.minBytes ?? MIN_DIRECT_BYTES) || !this.#isPlain(url, location, origin.trust))
      return undefined;
    const inFlight = this.#inFlight.get(url.origin) ?? 0;
    if (inFlight >= (this.#options.connectionsPerOrigin ?? MAX_CONNECTIONS_PER_ORIGIN)) return undefined;
    this.#inFlight.set(url.origin, inFlight + 1);
    try {
      await transfer.permitted(slice.length);
      return await this.#fetch(order, url, location, transfer);
    } finally {
      const left = (this.#inFlight.get(url.origin) ?? 1) - 1;
      if (left === 0) this.#inFlight.delete(url.origin);
      else this.#inFlight.set(url.origin, left);
    }
  }

  close(): void {
    for (const pool of Object.values(this.#pools)) pool.close();
  }

  async #fetch(
    { origin, slice, path }: OriginPieceOrder,
    url: URL,
    location: OriginLocation,
    transfer: Transfer,
  ): Promise<FetchedPiece | undefined> {
    const pool = this.#pools[origin.trust];
    const endpoint = { host: hostOfUrl(url), port: Number(url.port || 80) };
    const reader = new OriginPieceReader({ origin, location, slice, path, blocks: transfer.blocks });
    try {
      const connection = pool.takeIdle(endpoint, transfer.metered) ?? (await pool.connect(endpoint, transfer));
      const { digest, reusable } = await exchange(connection, formatRequest(url, location, slice), reader, transfer);
      if (reusable) pool.giveBack(connection);
      else connection.destroy();
      return { slice, digest, costMs: transfer.elapsedMs };
    } catch (error) {
      transfer.throwIfAborted();
      if (error instanceof DfpeerError && error.kind === 'disk') throw error;
      if (hasCode(error, 'DFP_ORIGIN_STATUS')) throw error;
      // Nothing was written yet: the library may ask again, and knows more kinds of answers.
      if (reader.pieceBytes === 0) return undefined;
      if (error instanceof OriginError) throw error;
      const text = messageOf(error);
      throw new OriginError('DFP_ORIGIN_UNREACHABLE', text, {}, { cause: error });
    }
  }

  #isPlain(url: URL, location: OriginLocation, trust: OriginTrust): boolean {
    const isProxied = trust === 'local-user' && chooseProxy(url, this.#options.environment ?? {}) !== undefined;
    const headers = Object.entries(headersOnWire(location));
    return (
      url.protocol === 'http:' &&
      !isProxied &&
      headers.every(([name, value]) => PLAIN_NAME.test(name) && PLAIN_VALUE.test(value))
    );
  }

  #makePool(trust: OriginTrust): ConnectionPool {
    const { guard, connectTimeoutMs } = this.#options;
    return new ConnectionPool({
      lookup: guard.lookup(trust),
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    });
  }
}

function formatRequest(url: URL, location: OriginLocation, slice: OriginPieceOrder['slice']): Buffer {
  const headers = {
    host: url.host,
    ...headersOnWire(location),
    'accept-encoding': 'identity',
    range: formatRangeHeader(slice),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
}
