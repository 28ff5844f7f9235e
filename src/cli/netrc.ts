import { join } from 'node:path';
import { decodePercent } from '../core/decode-percent.js';
import { DfpeerError, errnoOf, UsageError } from '../core/errors.js';
import { homeDirectory } from '../core/home-directory.js';
import { hostOfUrl } from '../core/host-port.js';
import type { NetrcOptions } from './dfget-options.js';
import { readInput } from './read-input.js';

/** A larger one is none. */
export const MAX_NETRC_BYTES = 1024 * 1024;

export interface NetrcEntry {
  /** Undefined: `default`, for every machine. */
  machine: string | undefined;
  login: string;
  password: string;
}

/** The entries in order. Macros are skipped; a token may be quoted, with \" \\ \n \r \t inside (as curl reads it). */
export function parseNetrc(text: string): NetrcEntry[] {
  const entries: NetrcEntry[] = [];
  // A macro lasts until an empty line.
  const withoutMacros = text.replace(/^[ \t]*macdef[^\n]*\n(?:[^\n]*\S[^\n]*\n?)*/gm, '\n');
  const tokens = tokensOf(withoutMacros);
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]?.toLowerCase();
    const next = (): string => tokens[++index] ?? '';
    if (token === 'machine') entries.push({ machine: next(), login: '', password: '' });
    else if (token === 'default') entries.push({ machine: undefined, login: '', password: '' });
    const entry = entries.at(-1);
    if (entry === undefined) continue;
    if (token === 'login') entry.login = next();
    else if (token === 'password') entry.password = next();
    else if (token === 'account') next();
  }
  return entries;
}

function tokensOf(text: string): string[] {
  const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  // A comment begins where a token would: inside of quotes, or of a word, # is a character like others.
  return [...text.matchAll(/#[^\n]*|"((?:[^"\\]|\\.)*)"|(\S+)/gs)].flatMap(([, quoted, plain]) => {
    if (quoted !== undefined) return [quoted.replace(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char)];
    return plain === undefined ? [] : [plain];
  });
}

/**
 * User and password for a URL's host; undefined when the file has none. A user that the URL names must be the entry's.
 * @returns the value of an Authorization header
 */
export function netrcAuthorization(entries: readonly NetrcEntry[], url: string): string | undefined {
  const parsed = new URL(url);
  const [host, user] = [hostOfUrl(parsed), decodePercent(parsed.username)];
  const entry = entries.find(
    ({ machine, login }) =>
      (machine === undefined || machine.toLowerCase() === host) && (user === '' || login === user || login === ''),
  );
  if (entry === undefined || (entry.login === '' && entry.password === '')) return undefined;
  const login = entry.login === '' ? user : entry.login;
  return `Basic ${Buffer.from(`${login}:${entry.password}`).toString('base64')}`;
}

/** @throws UsageError when it is too long or can't be read, unless it is optional and missing; AbortedError */
export async function readNetrc(
  { path, optional }: NetrcOptions,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<NetrcEntry[]> {
  const file = path ?? (env.NETRC === undefined || env.NETRC === '' ? join(homeDirectory(), '.netrc') : env.NETRC);
  try {
    return parseNetrc(await readInput(file, { what: `--netrc: ${file}`, maxBytes: MAX_NETRC_BYTES, signal }));
  } catch (cause) {
    if (optional && errnoOf(cause) === 'ENOENT') return [];
    if (cause instanceof DfpeerError) throw cause;
    throw new UsageError(`--netrc: can't read ${file}: ${errnoOf(cause) ?? String(cause)}`, { cause });
  }
}

/**
 * The headers for one URL. A header that the user wrote wins; so does, when the file is optional, what the URL says.
 */
export function withNetrc(
  headers: Readonly<Record<string, string>>,
  url: string,
  netrc: { entries: readonly NetrcEntry[]; optional: boolean } | undefined,
): Readonly<Record<string, string>> {
  if (netrc === undefined || Object.keys(headers).some((name) => name.toLowerCase() === 'authorization'))
    return headers;
  if (netrc.optional && new URL(url).password !== '') return headers;
  const authorization = netrcAuthorization(netrc.entries, url);
  return authorization === undefined ? headers : { ...headers, Authorization: authorization };
}
