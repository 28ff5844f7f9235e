import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';
import type { ListenAddress } from '../daemon-settings.js';
import { SmallHttpServer } from '../small-http-server.js';
import type { DaemonView } from '../status/daemon-view.js';
import { loadAssets, type Asset } from './assets.js';
import { EventStreams } from './event-streams.js';
import { isOwnHost } from './host-check.js';
import { takeSnapshot } from './snapshot.js';

export interface StatusPageOptions {
  view: DaemonView;
  /** This machine's; requests may name it instead of an address. */
  hostname: string;
  clock: Clock;
  logger: Logger;
}

/** Nothing from elsewhere, nowhere else to go, in no frame, and never from a cache. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** The status page: static files, one JSON document, one stream of events. Read-only, and not for other sites' pages. */
export class StatusPageServer {
  readonly #server: SmallHttpServer;
  readonly #events: EventStreams;

  private constructor(server: SmallHttpServer, events: EventStreams) {
    this.#server = server;
    this.#events = events;
  }

  /** @throws DfpeerError DFP_LISTEN */
  static async start(listen: ListenAddress, options: StatusPageOptions): Promise<StatusPageServer> {
    const { view, hostname, clock, logger } = options;
    const assets = await loadAssets();
    const events = new EventStreams(() => takeSnapshot(view), clock);
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      try {
        answer(request, response, { hostname, assets, events, view });
      } catch (error) {
        logger.error({ err: error }, 'a request to the status page failed');
        response.destroy();
      }
    };
    const wayOut = 'set statusPage.port to another one, or statusPage.enable to false';
    return new StatusPageServer(await SmallHttpServer.start(listen, onRequest, { logger, clock, wayOut }), events);
  }

  get port(): number {
    return this.#server.port;
  }

  async close(): Promise<void> {
    this.#events.close();
    await this.#server.close();
  }
}

interface Site {
  hostname: string;
  assets: ReadonlyMap<string, Asset>;
  events: EventStreams;
  view: DaemonView;
}

function answer(request: IncomingMessage, response: ServerResponse, site: Site): void {
  const { method, headers } = request;
  if (method !== 'GET' && method !== 'HEAD')
    return refuse(response, 405, 'this page only shows', { allow: 'GET, HEAD' });
  if (!isOwnHost(headers.host, site.hostname))
    return refuse(response, 421, 'name this machine by its address, its host name or localhost');
  const fetchSite = headers['sec-fetch-site'];
  const path = request.url?.split('?')[0] ?? '';
  if (fetchSite === 'cross-site' && path !== '/') return refuse(response, 403, 'not for the pages of other sites');
  if (path === '/api/events' && method === 'GET') return openEvents(response, site);
  const found = documentAt(path, site.view) ?? site.assets.get(path);
  if (found === undefined) return refuse(response, 404, 'nothing here; the page is at /');
  response.writeHead(200, {
    ...SECURITY_HEADERS,
    'content-type': found.contentType,
    'content-length': found.body.length,
  });
  response.end(method === 'HEAD' ? undefined : found.body);
}

function documentAt(path: string, view: DaemonView): Asset | undefined {
  if (path === '/api/status') return toAsset(takeSnapshot(view));
  return path === '/api/history' ? toAsset(view.throughput.history) : undefined;
}

function openEvents(response: ServerResponse, { events }: Site): void {
  if (!events.open(response, SECURITY_HEADERS))
    refuse(response, 503, 'too many pages are open; close one', { 'retry-after': '10' });
}

function toAsset(value: object): Asset {
  return { contentType: 'application/json; charset=utf-8', body: Buffer.from(JSON.stringify(value)) };
}

function refuse(response: ServerResponse, status: number, why: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { ...SECURITY_HEADERS, ...headers, 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${why}\n`);
}
