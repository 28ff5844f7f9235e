import { type Dispatcher, ProxyAgent } from 'undici';
import { chooseProxy, mayUseProxy } from './proxy-choice.js';

/** The proxies that an environment names, each with connections of its own. Bounded by the variables there are. */
export class OriginProxies {
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #options: Omit<ProxyAgent.Options, 'uri'>;
  readonly #isUsed: boolean;
  readonly #agents = new Map<string, ProxyAgent>();

  constructor(environment: Readonly<Record<string, string | undefined>>, options: Omit<ProxyAgent.Options, 'uri'>) {
    this.#environment = environment;
    this.#options = options;
    this.#isUsed = mayUseProxy(environment);
  }

  /** Undefined: the URL is asked directly. */
  agentFor(url: URL): Dispatcher | undefined {
    const proxy = this.#isUsed ? chooseProxy(url, this.#environment) : undefined;
    if (proxy === undefined) return undefined;
    const known = this.#agents.get(proxy.href);
    if (known !== undefined) return known;
    // As curl: http origins by absolute URL, which proxies that forbid tunnels to port 80 take; https by CONNECT.
    const agent = new ProxyAgent({ ...this.#options, uri: proxy.href, proxyTunnel: false });
    this.#agents.set(proxy.href, agent);
    return agent;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.destroy()));
  }
}
