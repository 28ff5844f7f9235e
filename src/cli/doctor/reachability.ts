import { once } from 'node:events';
import { connect, isIPv4 } from 'node:net';
import { withDeadline } from '../../core/deadline.js';
import { messageOf } from '../../core/errors.js';
import { formatHostPort } from '../../core/host-port.js';
import { networkInterfaces } from '../../core/kernel-facts.js';
import type { DoctorContext } from './context.js';
import { findingsOf, type Finding } from './finding.js';
import { wantedPorts, type WantedPort } from './ports.js';

const found = findingsOf('reachability');

export const DIAL_TIMEOUT_MS = 3_000;
/** What other nodes dial. */
const FOR_OTHERS = new Set(['grpc', 'vortex', 'http', 'scheduler']);

/** Whether others can reach us where we say that we are; as far as can be told from here. */
export async function checkReachability(context: DoctorContext): Promise<Finding[]> {
  const { config, settings, running, silent } = context;
  if (running !== undefined && isLoopback(running.ip) && !isLoopback(settings.host.ip))
    return [
      found.warn(
        `the running daemon serves this machine only (${running.ip}), as one does that dfget has started`,
        'for other machines run dfdaemon yourself, or as a service; the other one ends by itself when it is idle',
      ),
    ];
  // This command may not have been given the flags of the daemon.
  const ip = running?.ip ?? settings.host.ip;
  const findings = [checkAddress(ip, config.isLoopbackOnly)];
  const ports = wantedPorts(settings).filter(({ name }) => FOR_OTHERS.has(name));
  for (const wanted of ports) {
    const hidden = checkListenAddress(wanted, ip);
    if (hidden !== undefined) findings.push(hidden);
    else if (running !== undefined) findings.push(await dial(ip, wanted, running.ports[wanted.name]));
  }
  if (running === undefined && silent === undefined)
    findings.push(found.ok('no daemon runs, so its ports were not dialled; run this again when it does'));
  return findings;
}

function checkAddress(ip: string, isLoopbackOnly: boolean): Finding {
  if (isLoopback(ip))
    return isLoopbackOnly
      ? found.ok(`this daemon is for this machine only (${ip})`)
      : found.warn(
          `${ip} is announced, which other machines can't reach`,
          'set host.ip to the address that others reach this machine at',
        );
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  if (own.some(({ address }) => address === ip))
    return found.ok(`${ip} is announced, and is an address of this machine`);
  return found.warn(
    `${ip} is announced, and is no address of this machine`,
    'right behind address translation that forwards the ports; otherwise set host.ip to an address of this machine',
  );
}

/** Undefined when the announced address leads to where the server listens. */
function checkListenAddress({ key, ip: listenIp }: WantedPort, ip: string): Finding | undefined {
  if (listenIp === ip || listenIp === '0.0.0.0' || listenIp === '::' || isLoopback(ip)) return undefined;
  return found.fail(
    `${key}: it listens on ${listenIp} only, but ${ip} is announced`,
    `listen on 0.0.0.0 or ${ip}, or set host.ip to ${listenIp}`,
  );
}

async function dial(ip: string, { key, port: configured }: WantedPort, running: number | undefined): Promise<Finding> {
  const port = running ?? configured;
  const socket = connect(port, ip);
  try {
    await withDeadline({ waitingFor: `${formatHostPort(ip, port)} to answer`, timeoutMs: DIAL_TIMEOUT_MS }, () =>
      once(socket, 'connect'),
    );
    return found.ok(`${key}: ${formatHostPort(ip, port)} can be reached from this machine`);
  } catch (error) {
    return found.fail(
      `${key}: ${formatHostPort(ip, port)} can't be reached: ${messageOf(error)}`,
      'check host.ip and the firewall of this machine',
    );
  } finally {
    socket.destroy();
  }
}

function isLoopback(ip: string): boolean {
  return ip === '::1' || (isIPv4(ip) && ip.startsWith('127.'));
}
