import { decodePercent } from '../../../core/decode-percent.js';
import { headerBytes, RESERVED_HEADERS } from '../../../core/request-header.js';
import type { OriginLocation } from '../piece-fetcher.js';

/** Meant for one origin only; `Host` would point a second one at the first. */
const BOUND_TO_ORIGIN: ReadonlySet<string> = new Set(['authorization', 'cookie', 'host', 'proxy-authorization']);

/** Lower-case names; without what is ours to set. Credentials of the URL become Basic authorization unless there is one. */
export function firstRequest(url: string, requestHeader: Readonly<Record<string, string>>): OriginLocation {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(requestHeader))
    if (!RESERVED_HEADERS.has(name.toLowerCase())) headers[name.toLowerCase()] = value;
  const credentials = URL.canParse(url) ? basicAuthorization(new URL(url)) : undefined;
  if (credentials !== undefined) headers.authorization ??= credentials;
  return { url, requestHeader: headers };
}

/** What every client tells: there are servers that refuse a request without. */
const USUAL: Readonly<Record<string, string>> = { 'user-agent': 'dfpeer', accept: '*/*' };

/** The headers as they are written to a connection. */
export function headersOnWire({ requestHeader }: OriginLocation): Record<string, string> {
  const given = Object.fromEntries(Object.entries(requestHeader).map(([name, value]) => [name, headerBytes(value)]));
  return { ...USUAL, ...given };
}

/** The request that follows a redirect: nothing that was meant for the first origin (scheme, host, port) goes to another, and all of it back to it. */
export function redirectedRequest(first: OriginLocation, from: OriginLocation, to: URL): OriginLocation {
  const target = new URL(to);
  target.hash = '';
  for (const { url, requestHeader } of [from, first])
    if (target.origin === new URL(url).origin) return { url: target.href, requestHeader };
  const kept = Object.entries(from.requestHeader).filter(([name]) => !BOUND_TO_ORIGIN.has(name));
  return firstRequest(target.href, Object.fromEntries(kept));
}

/** Undefined without credentials. */
export function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const text = `${decodePercent(username)}:${decodePercent(password)}`;
  return `Basic ${Buffer.from(text).toString('base64')}`;
}
