import { createContext, Script, type Context } from 'node:vm';
import { z } from 'zod';
import type { Logger } from '../core/logger.js';

export const MAX_BLOCK_LIST_ENTRIES = 1024;
export const MAX_URL_PATTERN_CHARACTERS = 1024;
/** For all patterns of a list against one URL together. */
export const URL_PATTERNS_TIMEOUT_MS = 50;
/** The time limit is wall time: a thread that waits for a processor may use it up before a pattern ran at all. */
export const MAX_URL_PATTERNS_ATTEMPTS = 4;

export interface BlockListQuery {
  application: string;
  url: string;
  tag: string;
  priority: number;
}

/** Which downloads the cluster's administrator forbids. */
export interface BlockList {
  /** The list that matched ("applications"), or undefined when the download is allowed. */
  match(download: BlockListQuery): 'applications' | 'urls' | 'tags' | 'priorities' | undefined;
}

export const EMPTY_BLOCK_LIST: BlockList = { match: () => undefined };

const strings = z.array(z.string()).nullish();
const DOWNLOADS = z.object({
  applications: strings,
  urls: strings,
  tags: strings,
  priorities: z.array(z.number()).nullish(),
});
const BLOCK_LIST = z.object({ task: z.object({ download: DOWNLOADS.nullish() }).nullish() }).nullish();
/** The manager's spelling, and the one that Dragonfly's client takes for the same. */
const CLIENT_CONFIG = z.object({ block_list: BLOCK_LIST, blockList: BLOCK_LIST });

/** What `read` returns; undefined when it throws: then the last good block list stays in force. `source` names it for people. */
export function readBlockList(source: string, logger: Logger, read: () => BlockList): BlockList | undefined {
  try {
    return read();
  } catch (error) {
    logger.warn({ err: error }, `${source} can't be read; the last good block list stays in force`);
    return undefined;
  }
}

/**
 * `block_list.task.download` of a manager's client_config (JSON). Anything else in it is ignored. An unusable pattern is skipped with a
 * warning. @throws when the text is not JSON, or the block list has another shape
 */
export function parseBlockList(clientConfig: string, logger: Logger): BlockList {
  return clientConfig.trim() === '' ? EMPTY_BLOCK_LIST : toBlockList(JSON.parse(clientConfig), logger);
}

/** The same of what was parsed already. @throws when the block list has another shape */
export function toBlockList(clientConfig: unknown, logger: Logger): BlockList {
  const config = CLIENT_CONFIG.parse(clientConfig);
  const rules = (config.block_list ?? config.blockList)?.task?.download;
  if (rules === null || rules === undefined) return EMPTY_BLOCK_LIST;
  const take = <T>(list: T[] | null | undefined): T[] => (list ?? []).slice(0, MAX_BLOCK_LIST_ENTRIES);
  const [applications, tags] = [new Set(take(rules.applications)), new Set(take(rules.tags))];
  const priorities = new Set(take(rules.priorities));
  const urls = new UrlPatterns(take(rules.urls), logger);
  return {
    match({ application, url, tag, priority }) {
      if (applications.has(application)) return 'applications';
      if (tags.has(tag)) return 'tags';
      if (priorities.has(priority)) return 'priorities';
      return urls.match(url) ? 'urls' : undefined;
    },
  };
}

const MATCH_ANY = new Script('patterns.some((pattern) => pattern.test(url))');

/** Patterns come from outside and may backtrack for ever: they run under a time limit. */
class UrlPatterns {
  readonly #context: Context | undefined;
  readonly #scope: { patterns: RegExp[]; url: string };
  readonly #logger: Logger;

  constructor(sources: readonly string[], logger: Logger) {
    this.#logger = logger;
    this.#scope = { patterns: sources.flatMap((source) => compile(source, logger)), url: '' };
    this.#context = this.#scope.patterns.length === 0 ? undefined : createContext(this.#scope);
  }

  match(url: string): boolean {
    if (this.#context === undefined) return false;
    this.#scope.url = url;
    for (let attempt = 0; attempt < MAX_URL_PATTERNS_ATTEMPTS; attempt += 1) {
      const matches = matchInTime(this.#context);
      if (matches !== undefined) return matches;
    }
    // Allowing it would let anyone around the list with a URL that a pattern is slow for.
    this.#logger.warn({ url }, 'the block list took too long over a URL; the download is refused');
    return true;
  }
}

/** Undefined: the time limit passed. */
function matchInTime(context: Context): boolean | undefined {
  try {
    return MATCH_ANY.runInContext(context, { timeout: URL_PATTERNS_TIMEOUT_MS }) === true;
  } catch {
    return undefined;
  }
}

/** Rust's regex syntax, as far as it differs from ours in what administrators write: a leading (?i), named groups. */
function compile(source: string, logger: Logger): RegExp[] {
  const [, flags = '', rest = ''] = /^(?:\(\?([ims]+)\))?([^]*)$/.exec(source) ?? [];
  try {
    if (source.length > MAX_URL_PATTERN_CHARACTERS) throw new RangeError('the pattern is too long');
    return [new RegExp(rest.replaceAll('(?P<', '(?<'), flags)];
  } catch (error) {
    logger.warn({ pattern: source.slice(0, 200), err: error }, 'skipped a URL pattern of the block list');
    return [];
  }
}
