import type { z } from 'zod';
import { ConfigError } from './config-error.js';
import type { KeyPath, YamlDocument } from './yaml-document.js';

/** Longest part of a wrong value that an error quotes. */
const MAX_QUOTED_CHARACTERS = 60;

/**
 * The document's value through the schema.
 * @param expects what the key at a path takes, in words
 * @throws ConfigError with every issue the schema found, each at its place in the file
 */
export function checkDocument<T>(document: YamlDocument, schema: z.ZodType<T>, expects: (path: KeyPath) => string): T {
  const checked = schema.safeParse(document.value);
  if (checked.success) return checked.data;
  const { file } = document;
  throw new ConfigError(
    checked.error.issues.map((issue) => {
      const { path, message } = issue;
      const says = issue.code === 'custom' && issue.params?.complete === true;
      const found = describe(valueAt(document.value, path));
      return {
        file,
        ...document.locate(path),
        key: path.map(String).join('.'),
        message: says ? message : `expected ${expects(path)}, found ${found}`,
      };
    }),
  );
}

function valueAt(value: unknown, path: KeyPath): unknown {
  let current = value;
  for (const segment of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = Object.hasOwn(current, segment) ? (current as Record<PropertyKey, unknown>)[segment] : undefined;
  }
  return current;
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length <= MAX_QUOTED_CHARACTERS ? text : `${text.slice(0, MAX_QUOTED_CHARACTERS)}…`;
}
