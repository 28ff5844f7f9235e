import { decodePercent } from './decode-percent.js';
import { DfpeerError, errnoOf } from './errors.js';
import { DEFAULT_FILTERED_QUERY_PARAMS } from './signing-query-params.js';

const REDACTED = 'redacted';

const FILTERED_NAMES = new Set(DEFAULT_FILTERED_QUERY_PARAMS.map((name) => name.toLowerCase()));
const SECRET_PARAM =
  /signature|token|credential|secret|passw(?:or)?d|passphrase|api[-_]?key|access[-_]?key|private[-_]?key|session|hmac|jwt|^hdn(?:ts|ea)$|^auth|^sign?$|^key$|^code$/i;
const SECRET_FIELD =
  /^(?:proxy-)?authorization$|^(?:set-)?cookie$|^x-.*(?:token|key|secret)$|passw(?:or)?d|secret|credential|^(?:access|api|security|session|delegation)[-_]?(?:token|key)$|^token$/i;

// Anywhere, as one URL may be the path or a parameter of another. What follows a colon and is no port is a password with a slash in it.
const USER_INFO = /([a-z][a-z0-9+.-]{0,31}:\/\/)(?:[^/?#]*@|[^/?#@:[\]]*:(?!\d{0,5}(?:[/?#]|$))\S{0,200}@)/gi;
const PARAM = /[?&#;]([^=&#?;]+)=/g;
const END_OF_VALUE = /[&#]|$/g;
// A scheme is short: without a bound, a long word costs the square of its length.
const URL_IN_TEXT = /[a-z][a-z0-9+.-]{0,31}:\/\/[^\s"'<>`]+/gi;
const AUTHORIZATION_IN_TEXT = /\b((?:proxy-)?authorization|(?:set-)?cookie)(\s*[:=]\s*)[^\r\n]+/gi;

/** A URL for people to read: without user and password, and without the values of parameters that sign or authorise. */
export function redactUrl(url: string): string {
  return redactParams(url.replace(USER_INFO, '$1'));
}

/** A value that is no secret may have parameters in it (`;v=1?token=…`); one that is ends with its parameter. */
function redactParams(url: string): string {
  let redacted = '';
  let done = 0;
  for (const { 0: param, 1: name = '', index } of url.matchAll(PARAM)) {
    if (index < done || !isSecretParam(name)) continue;
    const value = index + param.length;
    redacted += `${url.slice(done, value)}${REDACTED}`;
    END_OF_VALUE.lastIndex = value;
    done = END_OF_VALUE.exec(url)?.index ?? url.length;
  }
  return redacted + url.slice(done);
}

/** Any text: URLs in it as by {@link redactUrl}, and credential headers. */
export function redactText(text: string): string {
  return text
    .replace(URL_IN_TEXT, redactUrl)
    .replace(AUTHORIZATION_IN_TEXT, (_, name: string, separator: string) => `${name}${separator}${REDACTED}`);
}

/** Deeper values and further entries are left out of logs. */
export const MAX_REDACT_DEPTH = 6;
export const MAX_REDACT_ENTRIES = 200;

/**
 * A copy of a value that is safe to log: fields named like secrets are replaced, texts go through {@link redactText},
 * errors become plain objects, with a stack only where it tells something, and what is too deep or too much is cut.
 */
export function redactFields(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_REDACT_DEPTH) return '…';
  if (value instanceof Error) return redactError(value, depth);
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (value instanceof Map) return redactFields(Object.fromEntries(value), depth);
  if (Array.isArray(value) || value instanceof Set)
    return [...value].slice(0, MAX_REDACT_ENTRIES).map((entry) => redactFields(entry, depth + 1));
  if ('toJSON' in value && typeof value.toJSON === 'function') return redactFields(callToJson(value), depth + 1);
  const entries = Object.entries(value).slice(0, MAX_REDACT_ENTRIES);
  return Object.fromEntries(
    entries.map(([name, entry]) => [name, SECRET_FIELD.test(name) ? REDACTED : redactFields(entry, depth + 1)]),
  );
}

function redactError(error: Error, depth: number): object {
  const { name, message, stack, cause } = error;
  return {
    ...('code' in error ? { code: redactFields(error.code, depth + 1) } : {}),
    type: name,
    message: redactText(message),
    ...(stack === undefined || saysItsCause(error) ? {} : { stack: redactText(stack) }),
    ...(cause === undefined ? {} : { cause: redactFields(cause, depth + 1) }),
  };
}

/** What a user, a peer, the network or the disk caused is named by its code: where we noticed it would be noise in every log. */
function saysItsCause(error: Error): boolean {
  if (error instanceof DfpeerError) return error.kind !== 'internal';
  return errnoOf(error) !== undefined || ('code' in error && typeof error.code === 'number');
}

function callToJson(value: object): unknown {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    return '…';
  }
}

function isSecretParam(encoded: string): boolean {
  const name = decodePercent(encoded);
  return FILTERED_NAMES.has(name.toLowerCase()) || SECRET_PARAM.test(name);
}
