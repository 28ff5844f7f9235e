import { lookup } from 'node:dns/promises';
import { isIP, isIPv4 } from 'node:net';
import { type Clock } from '../core/clock.js';
import { withDeadline } from '../core/deadline.js';
import { DfpeerError } from '../core/errors.js';
import { formatHostPort, type HostPort } from '../core/host-port.js';

export const DNS_TIMEOUT_MS = 10_000;

/** Where a scheduler listens; always an IP address, because the hash ring is built from it. */
export interface SchedulerAddress {
  ip: string;
  port: number;
  /** The name it was configured by: what its TLS certificate is checked against. */
  serverName?: string | undefined;
  /** Known from a manager only. */
  clusterId?: number | undefined;
}

/** Every address of a name, in any order. */
export type Lookup = (name: string) => Promise<{ address: string; family: number }[]>;

export const systemLookup: Lookup = (name) => lookup(name, { all: true });

/** "10.0.0.1:8002" or "[fd00::1]:8002": the form gRPC dials, and the key of a scheduler everywhere here. */
export function formatAddress({ ip, port }: Pick<SchedulerAddress, 'ip' | 'port'>): string {
  return formatHostPort(ip, port);
}

/**
 * All IPv4 addresses of the host, or its IPv6 ones when it has no IPv4, sorted: every peer must see the same ring.
 * @throws DfpeerError DFP_SCHEDULER_UNREACHABLE when the name does not resolve, DFP_DEADLINE after {@link DNS_TIMEOUT_MS}
 */
export async function resolveSchedulers(
  { host, port }: HostPort,
  options: { lookup: Lookup; clock: Clock; signal: AbortSignal },
): Promise<SchedulerAddress[]> {
  if (isIP(host) !== 0) return [{ ip: host, port }];
  const waitingFor = `DNS to resolve scheduler ${host}`;
  const { clock, signal } = options;
  const found = await withDeadline({ waitingFor, timeoutMs: DNS_TIMEOUT_MS, signal, clock }, async () => {
    try {
      return await options.lookup(host);
    } catch (cause) {
      throw new DfpeerError(
        'DFP_SCHEDULER_UNREACHABLE',
        `the scheduler's name ${host} does not resolve; check scheduler.addr`,
        { cause },
      );
    }
  });
  const ips = [...new Set(found.map((entry) => entry.address))];
  const ipv4 = ips.filter((ip) => isIPv4(ip));
  return (ipv4.length > 0 ? ipv4 : ips).sort().map((ip) => ({ ip, port, serverName: host }));
}
