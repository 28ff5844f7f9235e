import { isIP } from 'node:net';

/**
 * Whether a request's Host header may name this server. A page of another site can have its own name resolve to our address (DNS
 * rebinding) and would then be let in by the browser: addresses and the names of this machine can't be taken over in that way.
 */
export function isOwnHost(header: string | undefined, hostname: string): boolean {
  const match = HOST.exec(header ?? '');
  if (match === null) return false;
  const [, bracketed, plain = ''] = match;
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  const name = plain.toLowerCase();
  return isIP(name) === 4 || name === 'localhost' || name === hostname.toLowerCase();
}

const HOST = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?$/i;
