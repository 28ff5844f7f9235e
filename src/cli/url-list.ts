import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { DfpeerError, errnoOf, messageOf, UsageError } from '../core/errors.js';
import { makeDirectories } from '../core/make-directories.js';
import type { Output, Source } from './dfget-options.js';
import { readInput } from './read-input.js';
import { nameFromUrl, parseSourceUrl } from './source-url.js';

/** Of `--input-file`. */
export const MAX_LISTED_URLS = 100_000;
export const MAX_LIST_BYTES = 64 * 1024 * 1024;

/** One download. */
export interface Target {
  url: string;
  output: Output;
}

/**
 * What a list says: a URL a line, and after white space the file's name where it is not to be the URL's; empty lines and those that
 * begin with # are skipped. Everything is checked before anything is downloaded.
 * @throws UsageError naming the line
 */
export function parseUrlList(text: string, directory: string): Target[] {
  const targets: Target[] = [];
  const takenBy = new Map<string, number>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [, url, name] = /^\s*([^\s#]\S*)(?:\s+(.*?))?\s*$/.exec(line) ?? [];
    if (url === undefined) continue;
    const path = inLine(index + 1, () => resolve(directory, checkName(name ?? '') ?? nameFromUrl(parseSourceUrl(url))));
    inLine(index + 1, () => parseSourceUrl(url));
    const earlier = takenBy.get(path);
    if (earlier !== undefined)
      throw new UsageError(`line ${index + 1} would be written to ${path}, as line ${earlier}; give it a name`);
    if (targets.length >= MAX_LISTED_URLS) throw new UsageError(`the list has more than ${MAX_LISTED_URLS} URLs`);
    takenBy.set(path, index + 1);
    targets.push({ url, output: { kind: 'file', path } });
  }
  if (targets.length === 0) throw new UsageError('the list has no URL');
  return targets;
}

/** Reads the list of `--input-file`, and makes the directory. @throws UsageError; AbortedError; DfpeerError DFP_OUTPUT_IO when that can't be */
export async function readTargets(
  source: Extract<Source, { kind: 'list' }>,
  stdin: Readable,
  signal: AbortSignal,
): Promise<Target[]> {
  const { path, directory } = source;
  const targets = parseUrlList(await readList(path, stdin, signal), directory);
  try {
    await makeDirectories(directory);
  } catch (error) {
    const why = errnoOf(error) ?? 'an unknown reason';
    throw new DfpeerError('DFP_OUTPUT_IO', `the directory ${directory} can't be made (${why}); give another with -O`);
  }
  return targets;
}

async function readList(path: string | undefined, stdin: Readable, signal: AbortSignal): Promise<string> {
  try {
    return await readInput(path ?? stdin, { what: 'the list', maxBytes: MAX_LIST_BYTES, signal });
  } catch (cause) {
    if (cause instanceof DfpeerError) throw cause;
    throw new UsageError(`--input-file: can't read ${path ?? 'stdin'}: ${errnoOf(cause) ?? String(cause)}`, { cause });
  }
}

/** Undefined for none. A path below the directory, or an absolute one: it is the user's own list. */
function checkName(name: string): string | undefined {
  if (name === '') return undefined;
  if (name.includes('\0') || name.endsWith('/')) throw new UsageError(`${JSON.stringify(name)} is no file name`);
  return name;
}

function inLine<T>(number: number, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new UsageError(`line ${number}: ${messageOf(cause)}`, { cause });
  }
}
