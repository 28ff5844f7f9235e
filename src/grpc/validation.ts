import { isIP } from 'node:net';
import { UsageError } from '../core/errors.js';
import type { MessageName, Messages } from './messages.js';
import { MESSAGE_RULES, type FieldRule } from './validation-rules.js';

/**
 * Checks a decoded message, and every message inside it, against {@link MESSAGE_RULES}.
 * @throws UsageError DFP_INVALID_ARGUMENT naming the field: "scheduler.v2.AnnounceHostRequest.host.port: …"
 */
export function validateMessage<Name extends MessageName>(name: Name, message: Messages[Name]): void {
  checkMessage(name, message, name);
}

function checkMessage(name: MessageName, message: object, path: string): void {
  const { oneof, fields } = MESSAGE_RULES[name] ?? { fields: {} };
  const values = new Map<string, unknown>(Object.entries(message));
  if (oneof !== undefined && values.get(oneof) === undefined) refuse(`${path}.${oneof}`, 'one of them must be set');
  for (const [field, rule] of Object.entries(fields))
    if (rule !== undefined) checkField(rule, values.get(field), `${path}.${field}`);
}

function checkField(rule: FieldRule, value: unknown, path: string): void {
  if (value === undefined || value === null) {
    if (rule.required === true) refuse(path, 'must be set');
    return;
  }
  if (Array.isArray(value)) checkList(rule, value, path);
  else if (typeof value === 'string') checkText(rule, value, path);
  else if (typeof value === 'number') checkNumber(rule, value, path);
  else if (rule.message !== undefined && typeof value === 'object') checkMessage(rule.message, value, path);
}

function checkList(rule: FieldRule, list: readonly unknown[], path: string): void {
  if (list.length < (rule.minItems ?? 0)) refuse(path, `must have at least ${rule.minItems ?? 0} items`);
  if (list.length > (rule.maxItems ?? Infinity)) refuse(path, `must have at most ${rule.maxItems ?? 0} items`);
  list.forEach((item, index) => checkField(rule, item, `${path}[${index}]`));
}

function checkText(rule: FieldRule, text: string, path: string): void {
  if (text.length > (rule.cap ?? Infinity)) refuse(path, `must have at most ${rule.cap ?? 0} characters`);
  if (text === '' && rule.ignoreEmpty === true) return;
  if (text.length < (rule.minLength ?? 0)) refuse(path, 'must not be empty');
  if (text.length > (rule.maxLength ?? Infinity)) refuse(path, `must have at most ${rule.maxLength ?? 0} characters`);
  if (rule.format !== undefined && !FORMATS[rule.format].test(text))
    refuse(path, `must be ${FORMATS[rule.format].name}`);
}

function checkNumber(rule: FieldRule, value: number, path: string): void {
  if (rule.safe === true && !Number.isSafeInteger(value)) refuse(path, 'must be a safe integer');
  if (rule.oneOf !== undefined && !rule.oneOf.includes(value))
    refuse(path, `must be one of ${rule.oneOf.join(', ')}, not ${value}`);
  if (value === 0 && rule.ignoreEmpty === true) return;
  // Written so that NaN is refused too.
  if (rule.min !== undefined && !(value >= rule.min)) refuse(path, `must be at least ${rule.min}, not ${value}`);
  if (rule.max !== undefined && !(value <= rule.max)) refuse(path, `must be at most ${rule.max}, not ${value}`);
}

function refuse(path: string, why: string): never {
  throw new UsageError(`${path}: ${why}`, undefined, 'DFP_INVALID_ARGUMENT');
}

const HEX_DIGESTS = Object.entries({ md5: 32, sha1: 40, sha256: 64, sha512: 128, blake3: 64 });
const DIGEST = new RegExp(
  `^(?:${HEX_DIGESTS.map(([algorithm, digits]) => `${algorithm}:[0-9a-fA-F]{${digits}}`).join('|')}|crc32:[0-9a-fA-F]+)$`,
);
const HOSTNAME_LABEL = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

const FORMATS = {
  // A zone ("fe80::1%eth0") means something on one machine only.
  ip: { name: 'an IP address', test: (text: string) => isIP(text) !== 0 && !text.includes('%') },
  uri: { name: 'an absolute URI', test: (text: string) => URL.canParse(text) },
  digest: {
    name: 'a digest such as sha256:<64 hex digits> or crc32:<number>',
    test: (text: string) => DIGEST.test(text),
  },
  hostname: {
    name: 'a host name',
    test: (text: string) =>
      text.length <= 253 &&
      text
        .replace(/\.$/, '')
        .split('.')
        .every((label) => HOSTNAME_LABEL.test(label)),
  },
} as const satisfies Record<NonNullable<FieldRule['format']>, { name: string; test(text: string): boolean }>;
