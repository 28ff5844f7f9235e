import { listKeys, type KeyEntry, type KeySpec } from '../config/key-spec.js';
import { DAEMON_SCHEMA } from '../config/schema.js';
import { code, renderTable } from './markdown.js';

/** One table a section: every key, then the ones without effect. */
export function renderConfiguration(): string {
  const entries = listKeys(DAEMON_SCHEMA);
  const active = entries.filter(isActive);
  const sections = [...new Set(active.map(({ path }) => topLevelOf(path)))];
  const tables = sections.map((name) => {
    const rows = active.filter(({ path }) => topLevelOf(path) === name);
    return `### ${name}\n\n${renderTable(['Key', 'Type', 'Default', 'Unit', 'SIGHUP', 'Meaning'], rows.map(keyRow))}`;
  });
  return [...tables, renderIgnored(entries)].join('\n\n');
}

/** Keys that bound something, and what happens at the bound. */
export function renderConfigurableLimits(): string {
  const rows = listKeys(DAEMON_SCHEMA)
    .filter(isActive)
    .filter(({ spec }) => spec.description.whenReached !== undefined)
    .map(({ path, spec }) => [
      code(path),
      spec.description.meaning,
      defaultOf(spec),
      spec.unit,
      spec.description.whenReached ?? '',
    ]);
  return renderTable(['Key', 'Bounds', 'Default', 'Unit', 'When reached'], rows);
}

function isActive(entry: KeyEntry): entry is { path: string; spec: KeySpec } {
  return entry.spec.type === 'key';
}

function keyRow({ path, spec }: { path: string; spec: KeySpec }): string[] {
  const { meaning, reload, formerName } = spec.description;
  const told = formerName === undefined ? meaning : `${meaning} Formerly ${code(formerName)}, which is taken too.`;
  return [code(path), spec.kind, defaultOf(spec), spec.unit, reload === true ? 'yes' : '', told];
}

function renderIgnored(entries: readonly KeyEntry[]): string {
  const rows = entries.flatMap(({ path, spec }) => (spec.type === 'ignored' ? [[code(path), spec.reason]] : []));
  return `### Keys without effect\n\n${renderTable(['Key', 'Why, or what instead'], rows)}`;
}

function defaultOf({ description }: KeySpec): string {
  return description.default === undefined ? (description.otherwise ?? 'none') : code(String(description.default));
}

function topLevelOf(path: string): string {
  return path.split('.')[0] ?? path;
}
