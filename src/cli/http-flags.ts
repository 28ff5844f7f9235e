import { UsageError } from '../core/errors.js';
import { isHeaderName, isHeaderValue, RESERVED_HEADERS } from '../core/request-header.js';
import type { RawValue } from './arguments.js';

export const MAX_HEADERS = 128;
export const MAX_HEADER_CHARACTERS = 16 * 1024;

/**
 * "Name: value" each; the values of one name are joined by commas (RFC 9110, 5.3), those of Cookie by semicolons (RFC 6265, 5.4).
 * @throws UsageError that never quotes the value: it may be a secret
 */
export function parseHeaders(lines: readonly RawValue[]): Record<string, string> {
  if (lines.length > MAX_HEADERS)
    throw new UsageError(`--header: at most ${MAX_HEADERS} headers, found ${lines.length}`);
  const headers = new Map<string, { name: string; value: string }>();
  for (const { text, from } of lines) {
    const colon = text.indexOf(':');
    const name = text.slice(0, Math.max(colon, 0));
    const value = text.slice(colon + 1).trim();
    if (!isHeaderName(name)) throw new UsageError(`${from}: expected "Name: value"`);
    if (!isHeaderValue(value)) throw new UsageError(`${from}: the value of ${name} has control characters`);
    if (text.length > MAX_HEADER_CHARACTERS)
      throw new UsageError(`${from}: ${name} is longer than ${MAX_HEADER_CHARACTERS} characters`);
    refuseReserved(name, from);
    const key = name.toLowerCase();
    const separator = key === 'cookie' ? '; ' : ', ';
    const earlier = headers.get(key);
    headers.set(
      key,
      earlier === undefined ? { name, value } : { ...earlier, value: `${earlier.value}${separator}${value}` },
    );
  }
  return Object.fromEntries([...headers.values()].map(({ name, value }) => [name, value]));
}

/** A range is taken out of the headers later, as if --range had said it. */
function refuseReserved(name: string, from: string): void {
  const reason = name.toLowerCase() === 'range' ? undefined : RESERVED_HEADERS.get(name.toLowerCase());
  if (reason !== undefined) throw new UsageError(`${from}: ${name} can't be set: ${reason}; drop it`);
}

/** "0-99", "100-", "-500", with or without "bytes=" → the value of a Range header. @throws UsageError */
export function parseRange(text: string): string {
  const [, first = '', last = ''] = /^(?:bytes=)?\s*(\d{0,16})-(\d{0,16})$/.exec(text.trim()) ?? [];
  const isOrdered = first === '' || last === '' || Number(first) <= Number(last);
  const isSafe = Number.isSafeInteger(Number(first)) && Number.isSafeInteger(Number(last));
  const isEmpty = first === '' && Number(last) === 0;
  if (isOrdered && isSafe && !isEmpty) return `bytes=${first}-${last}`;
  throw new UsageError(`expected one range such as 0-99, 100- or -500, found ${JSON.stringify(text.slice(0, 80))}`);
}
