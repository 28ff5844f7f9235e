import { isDeepStrictEqual } from 'node:util';
import type { DaemonConfig } from './daemon-config.js';
import { resolvedName, type SectionKeys } from './key-spec.js';
import { DAEMON_SCHEMA } from './schema.js';

export interface ReloadOutcome {
  /** `running` with every reloadable key of `read`. */
  config: DaemonConfig;
  /** Keys with a new value that is in force from now on. */
  changed: string[];
  /** Keys with a new value that takes a restart. */
  needRestart: string[];
}

type Values = Readonly<Record<string, unknown>>;

/** What SIGHUP may take over of a configuration that was read again. */
export function mergeReloaded(running: DaemonConfig, read: DaemonConfig): ReloadOutcome {
  const changed: string[] = [];
  const needRestart: string[] = [];
  const merge = (now: Values, next: Values, keys: SectionKeys, prefix: string): Values => {
    const merged: Record<string, unknown> = { ...now };
    for (const [name, spec] of Object.entries(keys)) {
      if (spec.type === 'ignored') continue;
      const field = resolvedName(name, spec);
      const path = prefix + name;
      if (spec.type === 'section') {
        merged[field] = merge(asValues(now[field]), asValues(next[field]), spec.keys, `${path}.`);
      } else if (!isDeepStrictEqual(now[field], next[field])) {
        (spec.description.reload === true ? changed : needRestart).push(path);
        if (spec.description.reload === true) merged[field] = next[field];
      }
    }
    return Object.freeze(merged);
  };
  const config = merge(asValues(running), asValues(read), DAEMON_SCHEMA.keys, '');
  // Same keys as `running`, each value from one of two configurations.
  return { config: config as unknown as DaemonConfig, changed, needRestart };
}

function asValues(value: unknown): Values {
  return typeof value === 'object' && value !== null ? (value as Values) : {};
}
