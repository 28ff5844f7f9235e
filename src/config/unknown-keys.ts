import type { SectionKeys } from './key-spec.js';

/** Keys of a file that have no effect; dotted paths. */
export interface IneffectiveKeys {
  /** Nobody knows them: mistyped, or newer than this version. */
  unknown: string[];
  /** Dragonfly knows them, dfpeer does without. */
  ignored: { key: string; reason: string }[];
}

/** More than these are only counted in the warning. */
const MAX_NAMED_KEYS = 50;
const MAX_NAME_CHARACTERS = 200;

export function findIneffectiveKeys(value: unknown, root: { keys: SectionKeys }): IneffectiveKeys {
  const found: IneffectiveKeys = { unknown: [], ignored: [] };
  collect(value, root.keys, '', found);
  return found;
}

function collect(value: unknown, keys: SectionKeys, prefix: string, found: IneffectiveKeys): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  for (const [name, inner] of Object.entries(value)) {
    const key = prefix + name;
    const spec = Object.hasOwn(keys, name) ? keys[name] : undefined;
    if (spec === undefined) found.unknown.push(key);
    else if (spec.type === 'ignored') found.ignored.push({ key, reason: spec.reason });
    else if (spec.type === 'section') collect(inner, spec.keys, `${key}.`, found);
  }
}

/** The one warning about them; undefined when there is nothing to warn about. */
export function describeIneffectiveKeys(keys: IneffectiveKeys, file: string): string | undefined {
  const parts: string[] = [];
  if (keys.unknown.length > 0) parts.push(`unknown: ${nameAll(keys.unknown)}`);
  if (keys.ignored.length > 0)
    parts.push(`not supported: ${nameAll(keys.ignored.map(({ key, reason }) => `${key} (${reason})`))}`);
  return parts.length === 0 ? undefined : `keys without effect in ${file}: ${parts.join('; ')}`;
}

function nameAll(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED_KEYS).map((name) => name.slice(0, MAX_NAME_CHARACTERS));
  const hidden = names.length - shown.length;
  return shown.join(', ') + (hidden > 0 ? ` and ${hidden} more` : '');
}
