import type { Duration, Duration__Output } from '../generated/google/protobuf/Duration.js';
import type { Timestamp, Timestamp__Output } from '../generated/google/protobuf/Timestamp.js';

/** How the wire writes a length that nobody knows: -1 as unsigned. */
const UNKNOWN_LENGTH = '18446744073709551615';

export function toDuration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

export function toTimestamp(epochMs: number): Timestamp {
  return toDuration(epochMs);
}

/** Milliseconds of a Duration or Timestamp; undefined when absent or beyond safe integers. */
export function fromWireTime(time: Duration__Output | Timestamp__Output | null | undefined): number | undefined {
  if (time === null || time === undefined) return undefined;
  const ms = time.seconds * 1000 + time.nanos / 1e6;
  return Number.isSafeInteger(Math.trunc(ms)) ? ms : undefined;
}

/** A wire length that may be "unknown" (2^64-1) or absurd: undefined then. */
export function fromWireLength(length: number | undefined): number | undefined {
  return length !== undefined && Number.isSafeInteger(length) && length >= 0 ? length : undefined;
}

export function toWireLength(length: number | undefined): number | string {
  return length ?? UNKNOWN_LENGTH;
}
