import { once } from 'node:events';
import { createServer } from 'node:net';
import { errnoOf, messageOf } from '../../core/errors.js';
import { formatHostPort } from '../../core/host-port.js';
import type { DaemonSettings, ListenAddress } from '../../peer/daemon-settings.js';
import type { DoctorContext } from './context.js';
import { findingsOf, type Finding } from './finding.js';

const found = findingsOf('ports');

export interface WantedPort extends ListenAddress {
  /** As the running daemon calls it. */
  name: string;
  key: string;
  isOptional?: boolean;
}

/** Everywhere the daemon listens, or wants to. */
export function wantedPorts(settings: DaemonSettings): WantedPort[] {
  const { grpc, http, vortex, metrics, health, statusPage, embeddedScheduler } = settings;
  return [
    { ...grpc, name: 'grpc', key: 'upload.server.port' },
    { ...vortex, name: 'vortex', key: 'storage.server.tcpPort' },
    { ...http, name: 'http', key: 'storage.server.httpPort' },
    { ...metrics, name: 'metrics', key: 'metrics.server.port' },
    { ...health, name: 'health', key: 'health.server.port' },
    ...(statusPage === undefined ? [] : [{ ...statusPage, name: 'statusPage', key: 'statusPage.port' }]),
    ...(embeddedScheduler === undefined
      ? []
      : [{ ...embeddedScheduler, name: 'scheduler', key: 'scheduler.embedded.port' }]),
  ];
}

/** Each port is free, or held by our own daemon; of one that does not answer nobody can tell which are its own. */
export async function checkPorts({ settings, running, silent }: DoctorContext): Promise<Finding[]> {
  if (silent !== undefined)
    return [
      found.warn(
        'the ports were not tried: the daemon that does not answer may have them',
        'run this again once it answers, or has ended',
      ),
    ];
  const findings: Finding[] = [];
  for (const wanted of wantedPorts(settings)) findings.push(await checkPort(wanted, running?.ports, running?.pid));
  return findings;
}

async function checkPort(
  wanted: WantedPort,
  ownPorts: Readonly<Record<string, number>> | undefined,
  pid: number | undefined,
): Promise<Finding> {
  const { name, key, ip, port } = wanted;
  const own = ownPorts?.[name];
  if (own !== undefined && (port === 0 || own === port))
    return found.ok(`${key}: the running daemon (process ${pid ?? 0}) has port ${own}`);
  if (port === 0) return found.ok(`${key}: a free port will be taken`);
  const errno = await tryToListen(wanted);
  if (errno === undefined) return found.ok(`${key}: ${formatHostPort(ip, port)} is free`);
  return explain(wanted, errno, own);
}

/** Undefined when it worked, else the errno, or the error's text. */
async function tryToListen({ ip, port }: ListenAddress): Promise<string | undefined> {
  const server = createServer();
  server.listen({ host: ip, port, exclusive: true });
  try {
    await once(server, 'listening');
    const closed = once(server, 'close');
    server.close();
    await closed;
    return undefined;
  } catch (error) {
    return errnoOf(error) ?? messageOf(error);
  }
}

function explain({ key, ip, port, isOptional }: WantedPort, errno: string, own: number | undefined): Finding {
  const problem = isOptional === true ? found.warn : found.fail;
  switch (errno) {
    case 'EADDRINUSE': {
      const who = `ss -ltnp 'sport = :${port}' names it`;
      const text = `${key}: another process listens on port ${port}`;
      if (own === undefined) return problem(text, `stop it (${who}), or set ${key} to another port`);
      return found.warn(
        `${text}; the running daemon has port ${own}`,
        `right for a daemon that dfget has started; otherwise give this command the flags of the daemon, or stop that process (${who})`,
      );
    }
    case 'EADDRNOTAVAIL':
      return problem(
        `${key}: ${ip} is no address of this machine`,
        `set ${key.replace(/(?:tcp|http)?port$/i, 'ip')} to one of its addresses, or to 0.0.0.0`,
      );
    case 'EACCES':
      return problem(`${key}: this user may not listen on port ${port}`, `set ${key} to a port above 1023`);
    default:
      return problem(`${key}: can't listen on ${formatHostPort(ip, port)}: ${errno}`, `set ${key} to another port`);
  }
}
