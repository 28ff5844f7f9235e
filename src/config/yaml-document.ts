import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import { messageOf } from '../core/errors.js';
import { ConfigError, type ConfigIssue } from './config-error.js';
import { findTooDeep, MAX_YAML_DEPTH } from './yaml-depth.js';

/** Aliases that one file may expand: enough for shared blocks, too few for a bomb. */
export const MAX_ALIAS_COUNT = 100;

export type KeyPath = readonly PropertyKey[];

export interface Position {
  line: number;
  column: number;
}

/** A parsed YAML file that remembers where each value stood. */
export interface YamlDocument {
  readonly file: string;
  /** Plain data; mapping entries without a value are left out, an empty file is `{}`. */
  readonly value: unknown;
  /** Where the value at `path` starts, or the nearest thing that encloses it. */
  locate(path: KeyPath): Position;
}

const LIMITS = { maxAliasCount: MAX_ALIAS_COUNT };

/** @throws ConfigError with every syntax error of the file */
export function parseYaml(text: string, file: string): YamlDocument {
  const lines = new LineCounter();
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const issueAt = (offset: number, message: string): ConfigIssue => ({ file, ...positionAt(offset), key: '', message });
  const tooDeep = findTooDeep(text);
  if (tooDeep !== undefined)
    throw new ConfigError([{ file, ...tooDeep, key: '', message: `nested deeper than ${MAX_YAML_DEPTH} levels` }]);
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      logLevel: 'error',
      // The library compares each key with all before it.
      uniqueKeys: false,
    });
    const { maps, duplicates } = readMaps(document);
    const issues = [
      ...document.errors.map((error) => issueAt(error.pos[0], `not valid YAML: ${error.message}`)),
      ...duplicates.map((offset) => issueAt(offset, 'not valid YAML: Map keys must be unique')),
    ];
    if (issues.length > 0) throw new ConfigError(issues);
    const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
    const value = withoutNulls(document.toJS(LIMITS)) ?? {};
    return { file, value, locate: (path) => positionAt(offsetOf(document.contents, path, { maps, resolve })) };
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    // Too many aliases, or aliases deeper than the stack.
    const problem = messageOf(cause);
    throw new ConfigError([issueAt(0, `not usable YAML: ${problem}`)], { cause });
  }
}

type Maps = ReadonlyMap<YAMLMap, ReadonlyMap<string, Pair>>;

/** Each mapping's entries by key, and where keys stand that were there before. */
function readMaps(document: Document): { maps: Maps; duplicates: number[] } {
  const maps = new Map<YAMLMap, ReadonlyMap<string, Pair>>();
  const duplicates: number[] = [];
  visit(document, {
    Map(_, map) {
      const entries = new Map<string, Pair>();
      for (const pair of map.items) {
        // Another one is an error already, and may be a tree that takes for ever to write out.
        if (!isScalar(pair.key)) continue;
        const key = String(pair.key.value);
        if (entries.has(key)) duplicates.push(startOf(pair.key) ?? 0);
        else entries.set(key, pair);
      }
      maps.set(map, entries);
    },
  });
  return { maps, duplicates };
}

function offsetOf(
  root: Node | null,
  path: KeyPath,
  { maps, resolve }: { maps: Maps; resolve: (node: unknown) => unknown },
): number {
  let node: unknown = root;
  let offset = startOf(node) ?? 0;
  for (const segment of path) {
    const container = resolve(node);
    if (isMap(container)) {
      const pair = maps.get(container)?.get(String(segment));
      node = pair?.value ?? pair?.key;
    } else node = isSeq(container) ? container.items[Number(segment)] : undefined;
    if (node === undefined) break;
    offset = startOf(node) ?? offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined;
}

/** `key:` with nothing behind it means the default, as if the line were not there. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== null);
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutNulls(entry)]));
}
