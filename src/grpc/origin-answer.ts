import { OriginError } from '../core/errors.js';

/**
 * The origin's answer that a daemon of Dragonfly passes on: errordetails.v2.Backend as JSON (docs/WIRE.md 3.1). Undefined when it is none.
 */
export function parseOriginAnswer(json: string): OriginError | undefined {
  const backend = parseObject(json);
  const { message, header, status_code: status } = backend ?? {};
  if (typeof message !== 'string') return undefined;
  if (status === undefined || status === null) return new OriginError('DFP_ORIGIN_UNREACHABLE', message);
  if (typeof status !== 'number' || !Number.isInteger(status)) return undefined;
  return new OriginError('DFP_ORIGIN_STATUS', `the origin answers ${status}: ${message}`, {
    status,
    headers: textEntries(header),
  });
}

function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textEntries(header: unknown): Record<string, string> {
  if (!isObject(header)) return {};
  const entries = Object.entries(header).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return Object.fromEntries(entries);
}
