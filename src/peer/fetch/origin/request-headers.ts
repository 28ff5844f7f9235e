import type { OriginLocation } from '../piece-fetcher.js';

/** Ours to set, or a matter of the connection: a user's values would break what we promise about the answer. */
const RESERVED: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'if-range',
  'keep-alive',
  'proxy-connection',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Meant for one origin only; `Host` would point a second one at the first. */
const BOUND_TO_ORIGIN: ReadonlySet<string> = new Set(['authorization', 'cookie', 'host', 'proxy-authorization']);

/** Lower-case names; without what is ours to set. Credentials of the URL become Basic authorization unless there is one. */
export function firstRequest(url: string, requestHeader: Readonly<Record<string, string>>): OriginLocation {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(requestHeader))
    if (!RESERVED.has(name.toLowerCase())) headers[name.toLowerCase()] = value;
  const credentials = URL.canParse(url) ? basicAuthorization(new URL(url)) : undefined;
  if (credentials !== undefined) headers.authorization ??= credentials;
  return { url, requestHeader: headers };
}

/** The request that follows a redirect: to another origin (scheme, host, port) nothing goes that was meant for the first. */
export function redirectedRequest(from: OriginLocation, to: URL): OriginLocation {
  const target = new URL(to);
  target.hash = '';
  if (target.origin === new URL(from.url).origin) return { url: target.href, requestHeader: from.requestHeader };
  const kept = Object.entries(from.requestHeader).filter(([name]) => !BOUND_TO_ORIGIN.has(name));
  return firstRequest(target.href, Object.fromEntries(kept));
}

function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const text = `${decodePercent(username)}:${decodePercent(password)}`;
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
