import { UsageError } from '../core/errors.js';
import type { RawValue } from './arguments.js';

export const MAX_HEADERS = 128;
export const MAX_HEADER_CHARACTERS = 16 * 1024;

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/; // token of RFC 9110, 5.6.2
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\u{10ffff}]*$/u;

/**
 * "Name: value" each; the values of one name are joined by commas (RFC 9110, 5.3).
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
    if (!HEADER_NAME.test(name)) throw new UsageError(`${from}: expected "Name: value"`);
    if (!HEADER_VALUE.test(value)) throw new UsageError(`${from}: the value of ${name} has control characters`);
    if (text.length > MAX_HEADER_CHARACTERS)
      throw new UsageError(`${from}: ${name} is longer than ${MAX_HEADER_CHARACTERS} characters`);
    const earlier = headers.get(name.toLowerCase());
    headers.set(
      name.toLowerCase(),
      earlier === undefined ? { name, value } : { ...earlier, value: `${earlier.value}, ${value}` },
    );
  }
  return Object.fromEntries([...headers.values()].map(({ name, value }) => [name, value]));
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
