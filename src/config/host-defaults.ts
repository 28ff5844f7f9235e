import { hostname, type NetworkInterfaceInfo } from 'node:os';
import { networkInterfaces } from '../core/kernel-facts.js';

/** What the machine says about itself. */
export interface HostFacts {
  hostname: string;
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;
}

export function readHostFacts(): HostFacts {
  return { hostname: hostname(), interfaces: networkInterfaces() };
}

/** The first address that others may reach us at; loopback when there is none. */
export function detectIp({ interfaces }: HostFacts, preferIpv6: boolean): string {
  const addresses = Object.values(interfaces).flatMap((entries) => entries ?? []);
  const reachable = addresses.filter(({ internal, address }) => !internal && !/^fe80:/i.test(address));
  const first = (family: string): string | undefined => reachable.find((entry) => entry.family === family)?.address;
  const [preferred, other] = preferIpv6 ? ['IPv6', 'IPv4'] : ['IPv4', 'IPv6'];
  return first(preferred) ?? (preferIpv6 ? first(other) : undefined) ?? '127.0.0.1';
}
