import { Agent, type Dispatcher } from 'undici';
import { abortReason } from '../../../core/deadline.js';
import { DfpeerError, OriginError } from '../../../core/errors.js';
import type { OriginLocation, OriginTrust } from '../piece-fetcher.js';
import type { OriginGuard } from './origin-guard.js';
import { redactUrl, redirectedRequest } from './request-headers.js';
import { ResponseBody } from './response-body.js';

export const ORIGIN_CONNECT_TIMEOUT_MS = 10_000;
/** In one thread; more requests wait for one of these. */
export const MAX_CONNECTIONS_PER_ORIGIN = 8;
export const MAX_ORIGINS = 256;
export const MAX_REDIRECTS = 10;
export const MAX_ORIGIN_HEAD_BYTES = 32 * 1024;
const IDLE_CONNECTION_MS = 10_000;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export interface OriginClientOptions {
  guard: OriginGuard;
  connectTimeoutMs?: number;
  connectionsPerOrigin?: number;
  /** PEM certificates to trust instead of Node's. */
  certificateAuthorities?: readonly string[] | undefined;
}

export interface OriginAnswer {
  status: number;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  /** Where it came from in the end, and with which request. */
  location: OriginLocation;
  body: ResponseBody;
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
  readonly #agents: Readonly<Record<OriginTrust, Agent>>;

  constructor(options: OriginClientOptions) {
    this.#guard = options.guard;
    this.#agents = { 'local-user': makeAgent(options, 'local-user'), network: makeAgent(options, 'network') };
  }

  /**
   * The first answer that is no redirect; its body must be read to the end or cancelled. An abort cancels it.
   * @throws OriginError DFP_ORIGIN_FORBIDDEN, DFP_ORIGIN_REDIRECTS, DFP_ORIGIN_UNREACHABLE; the signal's reason
   */
  async open(request: OriginRequest): Promise<OriginAnswer> {
    let { location } = request;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const url = this.#guard.checkUrl(location.url, request.trust);
      const answer = await this.#ask({ ...request, location }, url);
      const target = REDIRECTS.has(answer.status) ? answer.headers['location'] : undefined;
      if (target === undefined) return answer;
      answer.body.cancel(new Error('redirected'));
      if (!URL.canParse(target, location.url))
        throw new OriginError(
          'DFP_ORIGIN_REDIRECTS',
          `${redactUrl(location.url)} redirects to something that is no URL`,
          answer,
        );
      location = redirectedRequest(location, new URL(target, location.url));
    }
    const text = `${redactUrl(request.location.url)} redirects more than ${MAX_REDIRECTS} times`;
    throw new OriginError('DFP_ORIGIN_REDIRECTS', text);
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#agents).map((agent) => agent.destroy()));
  }

  #ask(request: OriginRequest, url: URL): Promise<OriginAnswer> {
    const { location, signal, range } = request;
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        signal.removeEventListener('abort', onAbort);
        reject(toOriginError(error, location.url));
      };
      let started: Dispatcher.DispatchController | undefined;
      const onAbort = (): void => {
        const reason = abortReason(signal, redactUrl(location.url));
        fail(reason);
        started?.abort(reason);
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      let body: ResponseBody | undefined;
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart(controller) {
          started = controller;
          if (signal.aborted) controller.abort(abortReason(signal, redactUrl(location.url)));
        },
        onResponseStart(controller, status, headers) {
          if (status < 200) return;
          body = new ResponseBody(controller);
          controller.pause();
          resolve({ status, headers: plainHeaders(headers), location, body });
        },
        onResponseData: (_, chunk) => body?.push(chunk),
        onResponseEnd() {
          signal.removeEventListener('abort', onAbort);
          body?.finish();
        },
        onResponseError(_, error) {
          fail(error);
          body?.finish(toOriginError(signal.aborted ? abortReason(signal, 'origin') : error, location.url));
        },
      };
      const headers = {
        'user-agent': 'dfpeer',
        ...location.requestHeader,
        ...(range === undefined ? {} : { range }),
        'accept-encoding': 'identity',
      };
      const path = `${url.pathname}${url.search}`;
      try {
        this.#agents[request.trust].dispatch({ origin: url.origin, path, method: request.method, headers }, handler);
      } catch (error) {
        fail(error);
      }
    });
  }
}

function makeAgent(options: OriginClientOptions, trust: OriginTrust): Agent {
  const ca = options.certificateAuthorities;
  return new Agent({
    connections: options.connectionsPerOrigin ?? MAX_CONNECTIONS_PER_ORIGIN,
    maxOrigins: MAX_ORIGINS,
    maxHeaderSize: MAX_ORIGIN_HEAD_BYTES,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    keepAliveMaxTimeout: IDLE_CONNECTION_MS,
    // The transfer has its own idle and total deadlines.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: options.connectTimeoutMs ?? ORIGIN_CONNECT_TIMEOUT_MS,
      lookup: options.guard.lookup(trust),
      ...(ca === undefined ? {} : { ca: [...ca] }),
    },
  });
}

function plainHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) plain[name] = Array.isArray(value) ? value.join(', ') : value;
  return plain;
}

function toOriginError(error: unknown, url: string): DfpeerError {
  if (error instanceof DfpeerError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new OriginError('DFP_ORIGIN_UNREACHABLE', `cannot reach ${redactUrl(url)}: ${text}`, {}, { cause: error });
}
