import { isIP } from 'node:net';
import type { Environment } from '../../../core/environment.js';
import { DfpeerError } from '../../../core/errors.js';
import { hostOfUrl } from '../../../core/host-port.js';
import { networkList, readNetwork } from '../../../core/network.js';

/** What to do about a proxy that wants to know who asks. */
export const PROXY_USER_REMEDY = 'name user and password in the proxy variable, as USER:PASSWORD@HOST:PORT';

const SUPPORTED: ReadonlySet<string> = new Set(['http:', 'https:', 'socks5:', 'socks:']);

/**
 * The proxy for a URL as curl chooses it: `http_proxy` in lower case only (HTTP_PROXY can be set by a request to a CGI program),
 * https_proxy or HTTPS_PROXY, otherwise all_proxy or ALL_PROXY; none for hosts of no_proxy or NO_PROXY. Empty is not set. Undefined: none.
 * @throws DfpeerError DFP_CONFIG for a proxy that can't be used: to go past it could break a rule of the network
 */
export function chooseProxy(url: URL, env: Environment): URL | undefined {
  const own = url.protocol === 'https:' ? ['https_proxy', 'HTTPS_PROXY'] : ['http_proxy'];
  const name = [...own, 'all_proxy', 'ALL_PROXY'].find((variable) => nonEmpty(env[variable]) !== undefined);
  if (name === undefined || isExempt(url, nonEmpty(env.no_proxy) ?? env.NO_PROXY ?? '')) return undefined;
  return parseProxy(name, nonEmpty(env[name]) ?? '');
}

/** The message quotes no more than the scheme: the rest may hold a password. */
function parseProxy(variable: string, text: string): URL {
  const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const proxy = URL.canParse(written) ? new URL(written.replace(/^socks5h:/i, 'socks5:')) : undefined;
  if (proxy !== undefined && proxy.hostname !== '' && SUPPORTED.has(proxy.protocol)) return proxy;
  const trouble =
    proxy === undefined || SUPPORTED.has(proxy.protocol)
      ? 'is not the address of a proxy'
      : `names a proxy of an unknown kind, ${proxy.protocol}//`;
  throw new DfpeerError(
    'DFP_CONFIG',
    `${variable} in the daemon's environment ${trouble}; write it as http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, unset it, or name the origin's host in no_proxy`,
  );
}

const NAMING_PROXIES = ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'] as const;

/** Only what {@link chooseProxy} looks at. */
export function proxyVariables(env: Environment): Environment {
  const names = [...NAMING_PROXIES, 'no_proxy', 'NO_PROXY'];
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

/** Some proxy may be used: worth looking at each URL. */
export function mayUseProxy(env: Environment): boolean {
  return NAMING_PROXIES.some((name) => nonEmpty(env[name]) !== undefined);
}

/** `*`, or entries separated by commas or blanks: a domain with all below it, an address, a network in CIDR notation. */
function isExempt(url: URL, list: string): boolean {
  const host = hostOfUrl(url).replace(/\.$/, '').toLowerCase();
  return list.split(/[\s,]+/).some((entry) => entry !== '' && matches(host, entry.toLowerCase()));
}

function matches(host: string, entry: string): boolean {
  if (entry === '*') return true;
  const family = isIP(host);
  if (family === 0) {
    const domain = entry.replace(/^\*?\.|\.$/g, '');
    return domain !== '' && (host === domain || host.endsWith(`.${domain}`));
  }
  // Node's lists take ::ffff:10.1.2.3 for 10.1.2.3; a host is compared with networks of its own family only.
  const network = entry.replace(/^\[|\](?=$|\/)/g, '');
  const version = family === 6 ? 'ipv6' : 'ipv4';
  return readNetwork(network)?.family === version && networkList([network]).check(host, version);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}
