import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toSettings } from '../../src/cli/to-settings.js';
import { resolvedName, type SectionKeys } from '../../src/config/key-spec.js';
import { resolveDaemonConfig } from '../../src/config/resolve.js';
import { findPlaces } from '../../src/config/places.js';
import { DAEMON_SCHEMA } from '../../src/config/schema.js';
import { FIXED_BOUNDS, formatBound } from '../../src/docs/limits.js';
import { DEFAULT_UPLOAD_BOUNDS } from '../../src/upload/bounds.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { readDocument, ROOT, sourceFiles } from './support.js';

/** Exported constants that look like bounds and are none, or whose value a key of the configuration decides. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  // Keys of the configuration.
  'DEFAULT_MAX_CONCURRENT_TRANSFERS',
  'DEFAULT_MAX_CONCURRENT_TRANSFERS_PER_IP',
  'DEFAULT_MAX_QUEUED_TRANSFERS',
  'DEFAULT_QUEUE_TIMEOUT_MS',
  'DEFAULT_MAX_CONNECTIONS',
  'DEFAULT_MAX_CONNECTIONS_PER_IP',
  'DEFAULT_HEADERS_TIMEOUT_MS',
  'DEFAULT_KEEP_ALIVE_TIMEOUT_MS',
  'DEFAULT_AVAILABILITY_TIMEOUT_MS',
  'DEFAULT_NO_PROGRESS_TIMEOUT_MS',
  'DEFAULT_SCHEDULE_TIMEOUT_MS',
  'DEFAULT_MAX_DOWNLOADS',
  // Listed by the names of the options that they are the defaults of.
  'DEFAULT_MAX_WAITING_FOR_PIECE',
  'DEFAULT_REQUEST_TIMEOUT_MS',
  'DEFAULT_LINGER_TIMEOUT_MS',
]);

describe('docs/LIMITS.md', () => {
  it('lists every exported constant that bounds something', async () => {
    const listed = new Set(FIXED_BOUNDS.flatMap(({ bounds }) => bounds.map(({ name }) => name)));
    const missing: string[] = [];
    for (const file of [...(await sourceFiles('src')), ...(await sourceFiles('native'))]) {
      const text = await readFile(join(ROOT, file), 'utf8');
      for (const [, name = ''] of text.matchAll(/^export const ((?:DEFAULT_)?MAX_\w+|\w+_TIMEOUT_MS)\b/gm))
        if (!listed.has(name) && !ELSEWHERE.has(name)) missing.push(`${name} of ${file}`);
    }
    assert.deepEqual(missing, [], 'list them in src/docs/bounds');
  });

  it('names every fixed bound with its value', async () => {
    const text = await readDocument('LIMITS.md');
    for (const each of FIXED_BOUNDS.flatMap(({ bounds }) => bounds))
      assert.ok(text.includes(`| \`${each.name}\` | ${each.bounds} | ${formatBound(each)} |`), each.name);
  });

  it('shows values in the largest unit that divides them', () => {
    const formatted = [
      formatBound({ value: 64 * 1024, unit: 'bytes' }),
      formatBound({ value: 107, unit: 'bytes' }),
      formatBound({ value: 90_000, unit: 'ms' }),
      formatBound({ value: 50, unit: 'ms' }),
      formatBound({ value: 7_200_000, unit: 'ms' }),
      formatBound({ value: 16, unit: 'parents' }),
    ];
    assert.deepEqual(formatted, ['64 KiB', '107 bytes', '90 s', '50 ms', '2 h', '16 parents']);
  });
});

describe('the keys of the configuration', () => {
  const directory = useTemporaryDirectory();

  async function defaults(): Promise<Awaited<ReturnType<typeof resolveDaemonConfig>>> {
    const overrides = {
      schedulers: [],
      isLoopbackOnly: false,
      logLevel: 'info',
      logMaxFiles: 6,
      logMaxFileSizeBytes: 1024 ** 3,
      console: true,
    } as const;
    const places = findPlaces({ env: { DFPEER_HOME: directory() }, uid: 1, home: directory() });
    return resolveDaemonConfig(overrides, { places });
  }

  it('have the defaults that the code has without them', async () => {
    const { bounds } = toSettings(await defaults(), '0').upload;
    assert.deepEqual({ ...DEFAULT_UPLOAD_BOUNDS, ...bounds }, DEFAULT_UPLOAD_BOUNDS);
  });

  it('all reach the daemon', async () => {
    const read = new Set<string>();
    const config = await defaults();
    const withManager = {
      ...config,
      scheduler: { ...config.scheduler, from: { kind: 'manager', addr: 'm:1' } as const },
    };
    toSettings(recording(withManager, read), '0');
    /** Used by src/cli/run-daemon.ts, or on the way from the file to the resolved configuration. */
    const before = ['log.levels', 'network.enableIPv6', 'scheduler.addrs', 'manager.addr'];
    for (const key of resolvedPaths(DAEMON_SCHEMA.keys))
      assert.ok(read.has(key) || before.includes(key), `nothing acts on ${key}`);
  });
});

/** `value`, with the paths of its properties that somebody read put into `read`. */
function recording<T extends object>(value: T, read: Set<string>, prefix = ''): T {
  return new Proxy({} as T, {
    get: (_, name) => {
      const path = `${prefix}${String(name)}`;
      read.add(path);
      const inner: unknown = Reflect.get(value, name);
      return typeof inner === 'object' && inner !== null && !Array.isArray(inner)
        ? recording(inner, read, `${path}.`)
        : inner;
    },
  });
}

/** Every key that has an effect, by the names of the resolved configuration. */
function resolvedPaths(keys: SectionKeys, prefix = ''): string[] {
  return Object.entries(keys).flatMap(([name, spec]) => {
    if (spec.type === 'ignored') return [];
    return spec.type === 'section'
      ? resolvedPaths(spec.keys, `${prefix}${name}.`)
      : [`${prefix}${resolvedName(name, spec)}`];
  });
}
