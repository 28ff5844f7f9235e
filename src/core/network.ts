import { BlockList, isIP } from 'node:net';
import { UsageError } from './errors.js';

export interface Network {
  address: string;
  /** Length of the prefix: all of them for a single address. */
  bits: number;
  family: 'ipv4' | 'ipv6';
}

/** "10.0.0.0/8", "fd00::/8", or an address for itself alone: "10.1.2.3". Undefined: neither. No zones, which are a matter of one host. */
export function readNetwork(text: string): Network | undefined {
  const [, address = '', prefix] = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const version = isIP(address);
  const all = version === 6 ? 128 : 32;
  const bits = prefix === undefined ? all : Number(prefix);
  if (version === 0 || bits > all) return undefined;
  return { address, bits, family: version === 6 ? 'ipv6' : 'ipv4' };
}

/** A list that finds addresses of these networks. @throws UsageError for what is no network */
export function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of networks) {
    const network = readNetwork(text);
    if (network === undefined)
      throw new UsageError(
        `not a network: ${JSON.stringify(text.slice(0, 200))}; write it as 10.0.0.0/8, fd00::/8 or a single address`,
      );
    list.addSubnet(network.address, network.bits, network.family);
  }
  return list;
}

/** Whether the list has this address; false for what is no address. */
export function containsIp(list: BlockList, ip: string): boolean {
  const version = isIP(ip);
  return version !== 0 && list.check(ip, version === 6 ? 'ipv6' : 'ipv4');
}
