import { lookup as systemLookup } from 'node:dns/promises';
import { type BlockList, isIP, type LookupFunction } from 'node:net';
import { asError, OriginError, UsageError } from '../../../core/errors.js';
import { hostOfUrl } from '../../../core/host-port.js';
import { containsIp, networkList } from '../../../core/network.js';
import { NON_PUBLIC_NETWORKS } from '../../../core/special-networks.js';
import type { OriginTrust } from '../piece-fetcher.js';

export interface ResolvedAddress {
  address: string;
  family: number;
}

/** All addresses of a host name. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export interface OriginGuardOptions {
  /** Networks and addresses that requests from the network may reach although they are not public. Default: none. */
  allowedNetworks?: readonly string[];
  /** Default: the system's resolver. */
  resolve?: Resolve;
}

/**
 * Decides which origins may be asked for whom. A host name is checked by the very lookup that its connection uses, so the
 * address that was checked is the address that is connected to: a second, different DNS answer changes nothing.
 */
export class OriginGuard {
  readonly #forbidden = networkList(NON_PUBLIC_NETWORKS);
  readonly #allowed: BlockList;
  readonly #resolve: Resolve;

  /** @throws UsageError for what is neither a network nor an address */
  constructor(options: OriginGuardOptions = {}) {
    this.#allowed = networkList(options.allowedNetworks ?? []);
    this.#resolve = options.resolve ?? ((hostname) => systemLookup(hostname, { all: true, verbatim: true }));
  }

  /**
   * What can be said before the name is resolved: the scheme, and an address written out (any spelling: the URL parser has
   * normalised it). @throws OriginError DFP_ORIGIN_FORBIDDEN; UsageError when it is not a URL
   */
  checkUrl(text: string, trust: OriginTrust): URL {
    const url = parseUrl(text);
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw forbidden(`scheme ${url.protocol} is not http or https`);
    const host = hostOfUrl(url);
    if (isIP(host) !== 0) this.checkAddress(host, host, trust);
    return url;
  }

  /** @throws OriginError DFP_ORIGIN_FORBIDDEN */
  checkAddress(host: string, address: string, trust: OriginTrust): void {
    if (trust === 'local-user') return;
    const isForbidden = isIP(address) === 0 || containsIp(this.#forbidden, address);
    if (!isForbidden || containsIp(this.#allowed, address)) return;
    const name = host === address ? host : `${host} (${address})`;
    throw forbidden(
      `${name} is not a public address; schedulers and jobs may have it fetched if download.originAllowList of this host names it`,
    );
  }

  /** For net.connect and tls.connect: resolves once, and fails unless every address may be reached. */
  lookup(trust: OriginTrust): LookupFunction {
    return (hostname, options, callback) => {
      this.#resolveChecked(hostname, trust).then(
        (addresses) => {
          const first = addresses[0] ?? { address: '', family: 0 };
          if (options.all === true) callback(null, [...addresses]);
          else callback(null, first.address, first.family);
        },
        (error: unknown) => callback(asError(error), ''),
      );
    };
  }

  async #resolveChecked(hostname: string, trust: OriginTrust): Promise<readonly ResolvedAddress[]> {
    const addresses = await this.#resolve(hostname);
    if (addresses.length === 0) throw Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
    for (const { address } of addresses) this.checkAddress(hostname, address, trust);
    return addresses;
  }
}

function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw new UsageError(`not a URL: ${JSON.stringify(text.slice(0, 200))}`, { cause }, 'DFP_INVALID_ARGUMENT');
  }
}

function forbidden(why: string): OriginError {
  return new OriginError('DFP_ORIGIN_FORBIDDEN', `origin refused: ${why}`);
}
