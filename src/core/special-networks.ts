import { containsIp, networkList } from './network.js';

/** What an address of these means depends on the host that uses it: its own services, its neighbours on the link, its cloud's metadata. */
export const ONE_HOST_NETWORKS: readonly string[] = [
  '0.0.0.0/8', // this host
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, with the metadata service at 169.254.169.254
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, with the broadcast address
  '::/127', // unspecified, loopback
  'fd00:ec2::254', // a cloud's metadata service
  'fe80::/10', // link-local
  'ff00::/8', // multicast
];

const oneHostNetworks = networkList(ONE_HOST_NETWORKS);

/** Whether an address means another host, or nothing, to whoever else uses it. */
export function meansOneHost(ip: string): boolean {
  return containsIp(oneHostNetworks, ip);
}

/** Everything that isn't plain global unicast (IANA special-purpose registries). */
export const NON_PUBLIC_NETWORKS: readonly string[] = [
  ...ONE_HOST_NETWORKS,
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT; clouds put metadata services here too
  '172.16.0.0/12', // private
  '192.0.0.0/24', // IETF protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '::/96', // IPv4-compatible
  '64:ff9b::/96', // NAT64: reaches IPv4 addresses by another name
  '64:ff9b:1::/48', // local NAT64
  '100::/64', // discard
  '2001::/23', // protocol assignments, with Teredo
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4: reaches IPv4 addresses by another name
  '3fff::/20', // documentation
  '5f00::/16', // segment routing
  'fc00::/7', // unique local
  'fec0::/10', // site-local, retired
];
