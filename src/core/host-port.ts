import { isIP } from 'node:net';
import { DfpeerError } from './errors.js';

export interface HostPort {
  host: string;
  port: number;
}

const HOST_PORT = /^(?:https?:\/\/)?(?:\[([0-9a-f:.]+)\]|([^\s/:[\]]+)):(\d{1,5})\/?$/i;

/** As it is dialled and looked up: an IPv6 address without the brackets that it has in a URL. */
export function hostOfUrl({ hostname }: Pick<URL, 'hostname'>): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** "10.0.0.1:8002", "scheduler.svc:8002" or "[fd00::1]:8002", as {@link parseHostPort} takes it and gRPC dials it. */
export function formatHostPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** "10.0.0.1:8002", "scheduler.svc:8002", "[fd00::1]:8002"; a leading http:// or https:// is ignored. @throws DfpeerError (DFP_CONFIG) */
export function parseHostPort(text: string, what: string): HostPort {
  const [, bracketed, plain, digits] = HOST_PORT.exec(text.trim()) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = Number(digits);
  const valid = host !== '' && port >= 1 && port <= 65535 && (bracketed === undefined || isIP(bracketed) === 6);
  if (valid) return { host, port };
  throw new DfpeerError(
    'DFP_CONFIG',
    `${what} must be host:port or [IPv6 address]:port, not ${JSON.stringify(text.slice(0, 200))}`,
  );
}
