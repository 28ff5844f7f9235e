import { Agent } from 'undici';
import type { Environment } from '../../../core/environment.js';
import { OriginError } from '../../../core/errors.js';
import { redactUrl } from '../../../core/redact.js';
import type { OriginLocation, OriginTrust } from '../piece-fetcher.js';
import { type OriginAnswer, OriginExchange } from './origin-exchange.js';
import type { OriginGuard } from './origin-guard.js';
import { originConnector } from './origin-connector.js';
import { OriginProxies, type ProxyRoute } from './origin-proxies.js';
import { RenewedAgent } from './renewed-agent.js';
import { headersOnWire, redirectedRequest } from './request-headers.js';
import type { TrustedAuthorities } from './trusted-authorities.js';

export const ORIGIN_CONNECT_TIMEOUT_MS = 10_000;
/** In one thread; more requests wait for one of these. */
export const MAX_CONNECTIONS_PER_ORIGIN = 8;
export const MAX_REDIRECTS = 10;
export const MAX_ORIGIN_HEAD_BYTES = 32 * 1024;
const IDLE_CONNECTION_MS = 10_000;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export interface OriginClientOptions {
  guard: OriginGuard;
  /** Default 10,000. */
  connectTimeoutMs?: number | undefined;
  /** Default 8, in one thread. */
  connectionsPerOrigin?: number | undefined;
  /** Whom https trusts. */
  authorities: TrustedAuthorities;
  /** Its proxy variables are honoured for local users. Default: none. */
  environment?: Environment | undefined;
}

export interface OriginRequest {
  method: 'GET' | 'HEAD';
  location: OriginLocation;
  /** `bytes=a-b` */
  range?: string | undefined;
  trust: OriginTrust;
  signal: AbortSignal;
}

/** Asks origins over HTTP; follows redirects itself, since each hop has to pass the guard. */
export class OriginClient {
  readonly #guard: OriginGuard;
  /** Apart, so that a connection opened for a local user never serves a request from the network. */
  readonly #agents: Readonly<Record<OriginTrust, RenewedAgent>>;
  readonly #proxies: OriginProxies;

  constructor(options: OriginClientOptions) {
    this.#guard = options.guard;
    this.#proxies = new OriginProxies(options.environment ?? {}, {
      bounds: agentBounds(options),
      connectTimeoutMs: options.connectTimeoutMs ?? ORIGIN_CONNECT_TIMEOUT_MS,
      authorities: options.authorities,
    });
    this.#agents = { 'local-user': makeAgent(options, 'local-user'), network: makeAgent(options, 'network') };
  }

  /**
   * The first answer that is no redirect; its body must be read to the end or cancelled. An abort cancels it.
   * @throws OriginError DFP_ORIGIN_FORBIDDEN, DFP_ORIGIN_REDIRECTS, DFP_ORIGIN_UNREACHABLE; UsageError for headers that
   * can't be sent; the signal's reason
   */
  async open(request: OriginRequest): Promise<OriginAnswer> {
    let { location } = request;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const answer = await this.#ask({ ...request, location });
      const told = REDIRECTS.has(answer.status) ? answer.headers.location : undefined;
      if (told === undefined) return answer;
      const target = escapeBytes(told);
      answer.body.cancel();
      if (!URL.canParse(target, location.url)) {
        const text = `${redactUrl(location.url)} redirects to something that is no URL`;
        throw new OriginError('DFP_ORIGIN_REDIRECTS', text, answer);
      }
      location = redirectedRequest(request.location, location, new URL(target, location.url));
    }
    const text = `${redactUrl(request.location.url)} redirects more than ${MAX_REDIRECTS} times`;
    throw new OriginError('DFP_ORIGIN_REDIRECTS', text);
  }

  async close(): Promise<void> {
    await Promise.all([...Object.values(this.#agents).map((agent) => agent.destroy()), this.#proxies.close()]);
  }

  #ask({ method, location, range, trust, signal }: OriginRequest): Promise<OriginAnswer> {
    const url = this.#guard.checkUrl(location.url, trust);
    const { dispatcher, path, headers: ofRoute, isTunnel, proxy } = this.#routeFor(url, trust);
    const exchange = new OriginExchange(location, signal, proxy);
    const headers: Record<string, string> = { ...ofRoute, ...headersOnWire(location) };
    headers['accept-encoding'] = 'identity';
    if (range !== undefined) headers.range = range;
    if (isTunnel) delete headers['proxy-authorization'];
    try {
      signal.throwIfAborted();
      dispatcher.dispatch({ origin: url.origin, path, method, headers }, exchange);
    } catch (error) {
      exchange.fail(error);
    }
    return exchange.answer;
  }

  /** A proxy resolves names itself, beyond what the guard can check: requests from the network never use one. */
  #routeFor(url: URL, trust: OriginTrust): Omit<ProxyRoute, 'proxy'> & { proxy?: string | undefined } {
    const { origin, pathname, search } = url;
    const proxied = trust === 'local-user' ? this.#proxies.routeFor(url) : undefined;
    if (proxied !== undefined) return proxied;
    return { dispatcher: this.#agents[trust].for(origin), path: `${pathname}${search}`, headers: {}, isTunnel: false };
  }
}

/** A path that a server writes in its own encoding, mostly UTF-8, is asked for in the very same bytes. */
function escapeBytes(header: string): string {
  return header.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}

function makeAgent(options: OriginClientOptions, trust: OriginTrust): RenewedAgent {
  const timeout = options.connectTimeoutMs ?? ORIGIN_CONNECT_TIMEOUT_MS;
  const connect = originConnector({ timeout, lookup: options.guard.lookup(trust) }, options.authorities);
  return new RenewedAgent(() => new Agent({ ...agentBounds(options), connect }));
}

function agentBounds({ connectionsPerOrigin }: OriginClientOptions): Agent.Options {
  return {
    connections: connectionsPerOrigin ?? MAX_CONNECTIONS_PER_ORIGIN,
    maxHeaderSize: MAX_ORIGIN_HEAD_BYTES,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    keepAliveMaxTimeout: IDLE_CONNECTION_MS,
    // The transfer has its own idle and total deadlines.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
}
