import type { SectionKeys } from './key-spec.js';
import type { KeyPath, YamlDocument } from './yaml-document.js';

/** The document with the names that keys have today; it still tells where each stands. A key under both names has the value of today's. */
export function withPresentNames(document: YamlDocument, root: { keys: SectionKeys }): YamlDocument {
  const formerNames = new Map<string, string>();
  const value = rename(document.value, root.keys, [], formerNames);
  const asWritten = (path: KeyPath): KeyPath =>
    path.map((name, index) => formerNames.get(path.slice(0, index + 1).join('.')) ?? name);
  return { file: document.file, value, locate: (path) => document.locate(asWritten(path)) };
}

function rename(value: unknown, keys: SectionKeys, path: readonly string[], formerNames: Map<string, string>): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const renamed = new Map<string, unknown>();
  for (const [name, inner] of Object.entries(value)) {
    const today = presentName(name, keys);
    const spec = Object.hasOwn(keys, today) ? keys[today] : undefined;
    if (today !== name && Object.hasOwn(value, today)) continue;
    if (today !== name) formerNames.set([...path, today].join('.'), name);
    renamed.set(today, spec?.type === 'section' ? rename(inner, spec.keys, [...path, today], formerNames) : inner);
  }
  return Object.fromEntries(renamed);
}

function presentName(name: string, keys: SectionKeys): string {
  for (const [today, spec] of Object.entries(keys))
    if (spec.type === 'key' && spec.description.formerName === name) return today;
  return name;
}
