import type { SecureContext } from 'node:tls';
import { type Agent, type Dispatcher, Pool, ProxyAgent } from 'undici';
import type { Environment } from '../../../core/environment.js';
import { chooseProxy, mayUseProxy } from './proxy-choice.js';
import { RenewedAgent } from './renewed-agent.js';
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

/** The proxies that an environment names, each with connections of its own. Bounded by the variables there are. */
export class OriginProxies {
  readonly #environment: Environment;
  readonly #options: OriginProxiesOptions;
  readonly #isUsed: boolean;
  readonly #agents = new Map<string, KnownAgent>();

  constructor(environment: Environment, options: OriginProxiesOptions) {
    this.#environment = environment;
    this.#options = options;
    this.#isUsed = mayUseProxy(environment);
  }

  /** Undefined: the URL is asked directly. */
  agentFor(url: URL): Dispatcher | undefined {
    const proxy = this.#isUsed ? chooseProxy(url, this.#environment) : undefined;
    if (proxy === undefined) return undefined;
    const isPlain = url.protocol !== 'https:' && proxy.protocol !== 'https:';
    const secureContext = isPlain ? undefined : this.#options.authorities.context;
    const key = `${isPlain ? 'plain' : 'TLS'} ${proxy.href}`;
    const known = this.#agents.get(key);
    if (known !== undefined && known.secureContext === secureContext) return known.agent.for(url.origin);
    // Whom it trusted has changed; what is under way there may end.
    known?.agent.retire();
    const agent = new RenewedAgent(() => this.#makeAgent(proxy, secureContext));
    this.#agents.set(key, { agent, secureContext });
    return agent.for(url.origin);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map(({ agent }) => agent.destroy()));
  }

  #makeAgent(proxy: URL, secureContext: SecureContext | undefined): ProxyAgent {
    const { connectTimeoutMs, bounds } = this.#options;
    const trusted = secureContext === undefined ? {} : { secureContext };
    return new ProxyAgent({
      ...bounds,
      uri: proxy.href,
      // Left to itself it keeps the bounds for tunnels only.
      factory: (origin, options: object) => new Pool(origin, { ...bounds, ...options }),
      // As curl: http origins by absolute URL, which proxies that forbid tunnels to port 80 take; https by CONNECT.
      proxyTunnel: false,
      proxyTls: { timeout: connectTimeoutMs, ...trusted },
      requestTls: trusted,
    });
  }
}
