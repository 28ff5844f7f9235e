const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/; // token of RFC 9110, 5.6.2
const VALUE = /^[\t\x20-\x7e\x80-\u{10ffff}]*$/u;

const OF_THE_CONNECTION = "it is a matter of the connection, which is the daemon's own";
const NO_CONTENT = 'a download sends no content';
const OWN_RANGES = 'the daemon asks for ranges of its own, and checks that all are of one content';

/** Headers of requests to origins that users can't set, by lower-case name, and why: their values would break what we promise of the content. */
export const RESERVED_HEADERS: ReadonlyMap<string, string> = new Map([
  ['accept-encoding', 'content is stored as it is, not compressed for the way'],
  ['connection', OF_THE_CONNECTION],
  ['content-length', NO_CONTENT],
  ['expect', NO_CONTENT],
  ['if-range', OWN_RANGES],
  ['keep-alive', OF_THE_CONNECTION],
  ['proxy-connection', OF_THE_CONNECTION],
  ['range', OWN_RANGES],
  ['te', OF_THE_CONNECTION],
  ['trailer', NO_CONTENT],
  ['transfer-encoding', NO_CONTENT],
  ['upgrade', OF_THE_CONNECTION],
]);

export function isHeaderName(name: string): boolean {
  return NAME.test(name);
}

/** No control characters; anything else goes out as UTF-8, as curl sends it. */
export function isHeaderValue(value: string): boolean {
  return VALUE.test(value);
}

/** A value for Node's and undici's writers, which send each character as one byte: those of its UTF-8. */
export function headerBytes(value: string): string {
  return Buffer.from(value).toString('latin1');
}
