import { decodePercent } from '../core/decode-percent.js';
import { UsageError } from '../core/errors.js';
import { redactUrl } from '../core/redact.js';

export const MAX_URL_CHARACTERS = 16 * 1024;

/** In the grammar of URLs the host is a scheme then. */
const HOST_AND_PORT = /^[a-z0-9.-]+:\d+([/?#]|$)/i;

/** The URL as it was written, once it is one that can be downloaded. @throws UsageError */
export function parseSourceUrl(text: string): string {
  const shown = redactUrl(text).slice(0, 200);
  if (text.length > MAX_URL_CHARACTERS)
    throw new UsageError(`the URL is longer than ${MAX_URL_CHARACTERS} characters: ${shown}`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw new UsageError(`not a URL: ${JSON.stringify(shown)}; write http://… or https://…`);
  if (url.protocol === 'http:' || url.protocol === 'https:') return text;
  if (HOST_AND_PORT.test(text)) throw new UsageError(`not a URL: ${shown}; write http://${shown}`);
  throw new UsageError(`${url.protocol}// is not supported: dfget downloads from http:// and https:// only (${shown})`);
}

/** The file name that a URL suggests, as curl -O sees it. @throws UsageError when it suggests none */
export function nameFromUrl(text: string): string {
  const name = decodePercent(new URL(text).pathname.split('/').at(-1) ?? '');
  // Control characters would reach every terminal that lists the file.
  if (name !== '' && name !== '.' && name !== '..' && !/[/\p{Cc}]/u.test(name)) return name;
  throw new UsageError(`${redactUrl(text).slice(0, 200)} suggests no file name; give one with -O`);
}
