import { isIP } from 'node:net';
import { z } from 'zod';
import { parseHostPort } from '../core/host-port.js';
import { LOG_LEVELS } from '../core/log-level.js';
import { readNetwork } from '../core/network.js';
import { isHeaderName, isHeaderValue, RESERVED_HEADERS } from '../core/request-header.js';
import { parseByteRate, parseByteSize, parseDurationMs } from '../core/units.js';
import type { KeyDescription, KeyKind, KeySpec } from './key-spec.js';

/** With a default the value is always there. */
type ValueOf<Value, Description> = Description extends { default: string | number | boolean }
  ? Value
  : Value | undefined;

function key<Kind extends KeyKind, Value, Description extends KeyDescription>(
  kind: Kind,
  description: Description,
  how: { schema: z.ZodType<Value>; expects: string; unit?: string },
): KeySpec<Kind, ValueOf<Value, Description>> {
  const absent = description.default;
  const schema = absent === undefined ? unlessEmpty(how.schema.optional()) : how.schema.prefault(absent as never);
  return {
    type: 'key',
    kind,
    schema: schema as z.ZodType<ValueOf<Value, Description>>,
    expects: how.expects,
    unit: how.unit ?? '',
    description,
  };
}

/** Dragonfly's own files write out keys that are not set as ''. */
function unlessEmpty<Value>(schema: z.ZodType<Value>): z.ZodType<Value> {
  return z.preprocess((value) => (value === '' ? undefined : value), schema);
}

const scalar = z.union([z.string(), z.number()]);

/** A parser of src/core as a schema: what it throws on is an issue. */
function parsedBy<Input, Value>(input: z.ZodType<Input>, parse: (value: Input) => Value): z.ZodType<Value> {
  return input.transform((value, context) => {
    try {
      return parse(value);
    } catch {
      context.addIssue('refused by its parser');
      return z.NEVER;
    }
  });
}

const bytes = parsedBy(scalar, parseByteSize);

export function size<const D extends KeyDescription>(description: D, minimum = 0) {
  return key('size', description, {
    schema: bytes.refine((value) => value >= minimum),
    expects:
      minimum === 0 ? 'a size such as 512KiB, 50MiB or 10GB' : `a size of at least ${minimum} bytes, such as 512KiB`,
    unit: 'bytes',
  });
}

export function rate<const D extends KeyDescription>(description: D) {
  return key('rate', description, {
    schema: parsedBy(scalar, parseByteRate).refine((value) => value >= 1),
    expects: 'bytes per second, more than 0, such as 512KiB, 50MiB or 10GB',
    unit: 'bytes per second',
  });
}

/** Longer than 0. */
export function duration<const D extends KeyDescription>(description: D) {
  return key('duration', description, {
    schema: parsedBy(z.string(), parseDurationMs).refine((value) => value >= 1),
    expects: 'a duration with its unit, such as 500ms, 30s, 5m or 2h',
    unit: 'ms, s, m, h or d',
  });
}

export function count<const D extends KeyDescription>(
  description: D,
  bounds: { min: number; max: number; unit?: string },
) {
  return key('count', description, {
    schema: z.int().min(bounds.min).max(bounds.max),
    expects: `a whole number from ${bounds.min} to ${bounds.max}`,
    unit: bounds.unit ?? '',
  });
}

export function percent<const D extends KeyDescription>(description: D) {
  return key('percent', description, {
    schema: z.number().min(1).max(100),
    expects: 'a percentage from 1 to 100',
    unit: '%',
  });
}

export function port<const D extends KeyDescription>(description: D) {
  return key('port', description, {
    schema: z.int().min(0).max(65535),
    expects: 'a port up to 65535, or 0 for any free one',
  });
}

/** The scheduler refuses to hear of others (docs/WIRE.md 1.1). */
export function announcedPort<const D extends KeyDescription>(description: D) {
  return key('port', description, {
    schema: z.int().refine((value) => value === 0 || (value >= 1024 && value < 65535)),
    expects: 'a port from 1024 to 65534, which is what schedulers accept, or 0 for any free one',
  });
}

export function flag<const D extends KeyDescription>(description: D) {
  return key('boolean', description, { schema: z.boolean(), expects: 'true or false' });
}

const line = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^\0\r\n]*$/);

export function text<const D extends KeyDescription>(description: D) {
  return key('text', description, { schema: line, expects: 'a text on one line' });
}

/** The host's name is a part of ids and of log lines. */
export function hostname<const D extends KeyDescription>(description: D) {
  return key('text', description, {
    schema: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$/),
    expects: 'a host name: letters, digits, ".", "-" and "_", at most 253 characters',
  });
}

export function path<const D extends KeyDescription>(description: D) {
  return key('path', description, { schema: line.startsWith('/'), expects: 'an absolute path' });
}

const ip = z.string().refine((value) => isIP(value) !== 0);

export function ipAddress<const D extends KeyDescription>(description: D) {
  return key('ip address', description, { schema: ip, expects: 'an IPv4 or IPv6 address' });
}

export function choice<const Values extends readonly [string, ...string[]], const D extends KeyDescription>(
  values: Values,
  description: D,
) {
  return key('choice', description, {
    schema: z.enum(values),
    expects: `one of ${values.join(', ')}`,
  });
}

/** Octal permissions. YAML reads an unquoted 0660 as the decimal number 660; what was meant is clear all the same. */
export function fileMode<const Values extends readonly [string, ...string[]], const D extends KeyDescription>(
  values: Values,
  description: D,
) {
  const asText = (value: unknown): unknown => (typeof value === 'number' ? String(value).padStart(4, '0') : value);
  return key('choice', description, {
    schema: z.preprocess(asText, z.enum(values)),
    expects: `one of ${values.join(', ')}`,
  });
}

/** Longest list or mapping that a key takes. */
export const MAX_ENTRIES = 1024;

function atMostEntries<Value extends object>(schema: z.ZodType<Value>): z.ZodType<Value> {
  const countOf = (value: unknown): number => Object.keys(Object(value) as object).length;
  return schema.refine((value) => countOf(value) <= MAX_ENTRIES, {
    error: ({ input }) => `takes at most ${MAX_ENTRIES} entries, and has ${countOf(input)}`,
    params: { complete: true },
  });
}

const hostPort = line.refine((value) => doesParse(() => parseHostPort(value, 'it')));

export function hostPortText<const D extends KeyDescription>(description: D) {
  return key('text', description, { schema: hostPort, expects: 'host:port or [IPv6 address]:port' });
}

export function hostPorts<const D extends Omit<KeyDescription, 'default'>>(description: D) {
  return key('list', description, {
    schema: atMostEntries(z.array(hostPort)),
    expects: 'a list of host:port',
  });
}

const cidr = z.string().refine((value) => readNetwork(value) !== undefined);

export function cidrs<const D extends Omit<KeyDescription, 'default'>>(description: D) {
  return key('list', description, {
    schema: atMostEntries(z.array(cidr)),
    expects: 'a list of addresses or networks such as 10.0.0.0/8 or fd00::/8',
  });
}

const EXPECTED_HEADERS = 'a mapping of header names to texts without control characters';

const headerRecord = atMostEntries(
  z.record(
    z.string().refine(isHeaderName),
    z.union([z.string().refine(isHeaderValue), z.number(), z.boolean()]).transform(String),
  ),
);

export function headers<const D extends Omit<KeyDescription, 'default'>>(description: D) {
  return key('mapping', description, {
    schema: headerRecord,
    expects: EXPECTED_HEADERS,
  });
}

/** For origins: those that would be left out of the request are refused. */
export function originHeaders<const D extends Omit<KeyDescription, 'default'>>(description: D) {
  const schema = headerRecord.superRefine((record, context) => {
    for (const name of Object.keys(record)) {
      const reason = RESERVED_HEADERS.get(name.toLowerCase());
      if (reason === undefined) continue;
      const message = `can't be set: ${reason}; drop it`;
      context.addIssue({ code: 'custom', message, path: [name], params: { complete: true } });
    }
  });
  return key('mapping', description, {
    schema,
    expects: EXPECTED_HEADERS,
  });
}

export { LOG_LEVELS, type LogLevel } from '../core/log-level.js';

export function logLevels<const D extends Omit<KeyDescription, 'default'>>(description: D) {
  return key('mapping', description, {
    schema: atMostEntries(z.record(z.string().max(64), z.enum(LOG_LEVELS))),
    expects: `a mapping of module names to one of ${LOG_LEVELS.join(', ')}`,
  });
}

function doesParse(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    return false;
  }
}
