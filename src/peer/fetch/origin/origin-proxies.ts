import type { SecureContext } from 'node:tls';
import { Agent, type buildConnector, type Dispatcher, Pool, ProxyAgent } from 'undici';
import type { Environment } from '../../../core/environment.js';
import { originConnector } from './origin-connector.js';
import { chooseProxy, mayUseProxy } from './proxy-choice.js';
import { RenewedAgent } from './renewed-agent.js';
import { basicAuthorization } from './request-headers.js';
import { socks5Connector } from './socks5-connector.js';
import type { TrustedAuthorities } from './trusted-authorities.js';

interface KnownAgent {
  agent: RenewedAgent;
  secureContext: SecureContext | undefined;
}

export interface OriginProxiesOptions {
  bounds: Agent.Options;
  connectTimeoutMs: number;
  authorities: TrustedAuthorities;
}

/** A URL's way through a proxy. */
export interface ProxyRoute {
  dispatcher: Dispatcher;
  /** What the request asks for. */
  path: string;
  /** Beside its own. */
  headers: Readonly<Record<string, string>>;
  /** What the proxy should know is not in the request. */
  isTunnel: boolean;
  /** For people. */
  proxy: string;
}

/** The proxies that an environment names, each with connections of its own. Bounded by the variables there are. */
export class OriginProxies {
  readonly #environment: Environment;
  readonly #options: OriginProxiesOptions;
  readonly #isUsed: boolean;
  readonly #connect: buildConnector.connector;
  readonly #agents = new Map<string, KnownAgent>();

  constructor(environment: Environment, options: OriginProxiesOptions) {
    this.#environment = environment;
    this.#options = options;
    this.#isUsed = mayUseProxy(environment);
    this.#connect = originConnector({ timeout: options.connectTimeoutMs }, options.authorities);
  }

  /** Undefined: the URL is asked directly. */
  routeFor(url: URL): ProxyRoute | undefined {
    const proxy = this.#isUsed ? chooseProxy(url, this.#environment) : undefined;
    if (proxy === undefined) return undefined;
    const { origin, host, pathname, search } = url;
    const isTunnel = url.protocol === 'https:' || isSocks(proxy);
    const authorization = isTunnel ? undefined : basicAuthorization(proxy);
    return {
      dispatcher: this.#agentFor(url, proxy).for(origin),
      // As curl: http origins by absolute URL, which proxies that forbid tunnels to port 80 take; https by CONNECT.
      path: `${isTunnel ? '' : origin}${pathname}${search}`,
      headers: { host, ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }) },
      isTunnel,
      proxy: proxy.host,
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map(({ agent }) => agent.destroy()));
  }

  #agentFor(url: URL, proxy: URL): RenewedAgent {
    const isConnect = url.protocol === 'https:' && !isSocks(proxy);
    const secureContext = isConnect ? this.#options.authorities.context : undefined;
    const key = `${isConnect ? 'CONNECT' : 'plain'} ${proxy.href}`;
    const known = this.#agents.get(key);
    if (known !== undefined && known.secureContext === secureContext) return known.agent;
    // Whom it trusted has changed; what is under way there may end.
    known?.agent.retire();
    const agent = new RenewedAgent(() =>
      secureContext === undefined ? this.#makeAgent(proxy) : this.#makeTunnels(proxy, secureContext),
    );
    this.#agents.set(key, { agent, secureContext });
    return agent;
  }

  #makeAgent(proxy: URL): Dispatcher {
    const { bounds, connectTimeoutMs } = this.#options;
    const connect = this.#connect;
    if (isSocks(proxy)) return new Agent({ ...bounds, connect: socks5Connector(proxy, connectTimeoutMs, connect) });
    return new Agent({ ...bounds, factory: () => new Pool(proxy.origin, { ...bounds, connect }) });
  }

  #makeTunnels(proxy: URL, secureContext: SecureContext): Dispatcher {
    const { connectTimeoutMs, bounds } = this.#options;
    const authorization = basicAuthorization(proxy);
    return new ProxyAgent({
      ...bounds,
      uri: proxy.origin,
      ...(authorization === undefined ? {} : { token: authorization }),
      // Left to itself it keeps the bounds for tunnels only.
      factory: (origin, options: object) => new Pool(origin, { ...bounds, ...options }),
      proxyTls: { timeout: connectTimeoutMs, secureContext },
      requestTls: { secureContext },
    });
  }
}

function isSocks({ protocol }: URL): boolean {
  return protocol !== 'http:' && protocol !== 'https:';
}
