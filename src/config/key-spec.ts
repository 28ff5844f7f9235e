import { z } from 'zod';

/** What a key's value measures or is. */
export type KeyKind =
  | 'size'
  | 'rate'
  | 'duration'
  | 'count'
  | 'percent'
  | 'port'
  | 'boolean'
  | 'text'
  | 'path'
  | 'ip address'
  | 'choice'
  | 'list'
  | 'mapping';

/** Kinds with a unit carry it in the name that the key has in the resolved configuration. */
const NAME_SUFFIXES = { size: 'Bytes', rate: 'BytesPerSecond', duration: 'Ms' } as const;
type NameSuffixes = typeof NAME_SUFFIXES;

type ResolvedName<Name extends string, Spec> = Spec extends { kind: infer Kind extends keyof NameSuffixes }
  ? `${Name}${NameSuffixes[Kind]}`
  : Name;

/** What is said about a key, in the documents and in errors. */
export interface KeyDescription {
  /** One line. */
  meaning: string;
  /** As it would stand in the file. Without one the key is optional, and `otherwise` says what happens. */
  default?: string | number | boolean | undefined;
  /** The default in words, for keys whose default depends on the machine or on other keys. */
  otherwise?: string;
  /** Dragonfly's name for it in earlier versions, which files out there still have. */
  formerName?: string;
  /** SIGHUP takes a new value over. */
  reload?: boolean;
  /** For bounds: what happens when it is reached. */
  whenReached?: string;
}

export interface KeySpec<Kind extends KeyKind = KeyKind, Value = unknown> {
  readonly type: 'key';
  readonly kind: Kind;
  /** Takes the value as it stands in the file, or undefined. */
  readonly schema: z.ZodType<Value>;
  /** "a size such as 512KiB": errors say so. */
  readonly expects: string;
  readonly unit: string;
  readonly description: KeyDescription;
}

/** A key of Dragonfly's that is accepted, named in a warning, and otherwise has no effect here. */
export interface IgnoredSpec {
  readonly type: 'ignored';
  /** Why, or what happens instead. */
  readonly reason: string;
}

export interface SectionSpec<Keys extends SectionKeys = SectionKeys> {
  readonly type: 'section';
  readonly keys: Keys;
  readonly schema: z.ZodType<SectionConfig<Keys>>;
}

export type SectionKeys = Readonly<
  Record<string, KeySpec | IgnoredSpec | { type: 'section'; keys: SectionKeys; schema: z.ZodType }>
>;

/** The resolved form of a section: units in the names, bytes and milliseconds in the values, ignored keys left out. */
export type SectionConfig<Keys> = {
  readonly [
    Name in keyof Keys & string as Keys[Name] extends IgnoredSpec ? never : ResolvedName<Name, Keys[Name]>
  ]: Keys[Name] extends { schema: z.ZodType<infer Value> } ? Value : never;
};

/**
 * A mapping of keys. Absent means all defaults; unknown keys are no error (see unknown-keys.ts).
 * @param check what is wrong with keys that are each right, in words
 */
export function section<const Keys extends SectionKeys>(
  keys: Keys,
  check?: (config: SectionConfig<Keys>) => string | undefined,
): SectionSpec<Keys> {
  const shape: Record<string, z.ZodType> = {};
  for (const [name, spec] of Object.entries(keys)) if (spec.type !== 'ignored') shape[name] = spec.schema;
  const schema = z
    .object(shape)
    .transform((values, context) => {
      const renamed = Object.entries(values).map(([name, value]) => [resolvedName(name, keys[name]), value]);
      const config = Object.fromEntries(renamed) as SectionConfig<Keys>;
      const problem = check?.(config);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, params: { complete: true } });
      return config;
    })
    .prefault({});
  return { type: 'section', keys, schema };
}

export function ignored(reason: string): IgnoredSpec {
  return { type: 'ignored', reason };
}

export function resolvedName(name: string, spec: SectionKeys[string] | undefined): string {
  const kind = spec?.type === 'key' ? spec.kind : undefined;
  return kind !== undefined && kind in NAME_SUFFIXES ? name + NAME_SUFFIXES[kind as keyof NameSuffixes] : name;
}

/** The key or section at a path; undefined when the schema has none there. Inside a value it is the value's key. */
export function specAt(root: { keys: SectionKeys }, path: readonly PropertyKey[]): SectionKeys[string] | undefined {
  const [name, ...inner] = path;
  const spec = name !== undefined && Object.hasOwn(root.keys, name) ? root.keys[String(name)] : undefined;
  return spec?.type === 'section' && inner.length > 0 ? specAt(spec, inner) : spec;
}

export interface KeyEntry {
  path: string;
  spec: KeySpec | IgnoredSpec;
}

/** Every key below a section, in the order of the schema. */
export function listKeys(root: { keys: SectionKeys }, prefix = ''): KeyEntry[] {
  return Object.entries(root.keys).flatMap(([name, spec]) =>
    spec.type === 'section' ? listKeys(spec, `${prefix}${name}.`) : [{ path: `${prefix}${name}`, spec }],
  );
}
