import { UsageError } from './errors.js';

const BYTE_UNITS: Record<string, number> = {
  '': 1, b: 1,
  k: 1024, kib: 1024, kb: 1000,
  m: 1024 ** 2, mib: 1024 ** 2, mb: 1000 ** 2,
  g: 1024 ** 3, gib: 1024 ** 3, gb: 1000 ** 3,
  t: 1024 ** 4, tib: 1024 ** 4, tb: 1000 ** 4,
}; // prettier-ignore

/** "50GB", "512KiB", "4mib", "1.5 GiB", 4096. KB is 1000, KiB and K are 1024. @throws UsageError */
export function parseByteSize(text: string | number): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(text));
  const unit = BYTE_UNITS[match?.[2]?.toLowerCase() ?? '?'];
  const bytes = match === null || unit === undefined ? Number.NaN : Math.round(Number(match[1]) * unit);
  if (!Number.isSafeInteger(bytes))
    throw new UsageError(`not a size: ${JSON.stringify(text)}; write bytes with a unit, such as 512KiB, 50MiB or 10GB`);
  return bytes;
}

/** As {@link parseByteSize}, with or without "/s": "50MiB", "50 MiB/s". @throws UsageError */
export function parseByteRate(text: string | number): number {
  return parseByteSize(typeof text === 'string' ? text.replace(/\s*\/\s*s(?:ec)?\s*$/i, '') : text);
}

const DURATION_UNITS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
for (const [long, short] of [
  ['sec', 's'],
  ['secs', 's'],
  ['second', 's'],
  ['seconds', 's'],
  ['min', 'm'],
  ['mins', 'm'],
  ['minute', 'm'],
  ['minutes', 'm'],
  ['hr', 'h'],
  ['hour', 'h'],
  ['hours', 'h'],
  ['day', 'd'],
  ['days', 'd'],
  ['week', 'w'],
  ['weeks', 'w'],
  ['msec', 'ms'],
  ['millis', 'ms'],
] as const)
  DURATION_UNITS[long] = DURATION_UNITS[short] ?? 1;

/** "300s", "3h", "1m30s", "40 m", "30d" → milliseconds. A bare number is refused: its unit would be a guess. @throws UsageError */
export function parseDurationMs(text: string): number {
  const fail = (): never => {
    throw new UsageError(
      `not a duration: ${JSON.stringify(text)}; write a number with a unit, such as 500ms, 30s, 5m or 2h`,
    );
  };
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)\s*/giy)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text.trim()) return fail();
  let total = 0;
  for (const [, amount, unit] of parts)
    total += Number(amount) * (DURATION_UNITS[unit?.toLowerCase() ?? ''] ?? Number.NaN);
  return Number.isFinite(total) && total <= Number.MAX_SAFE_INTEGER ? Math.round(total) : fail();
}

/** 4194304 → "4.0 MiB". */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let index = 0;
  // As it would be shown: what rounds up to 1024 is one of the next unit.
  while (Number(value.toFixed(index === 0 ? 0 : 1)) >= 1024 && index < units.length - 1) {
    value /= 1024;
    index++;
  }
  return `${index === 0 ? Math.round(value) : value.toFixed(1)} ${units[index] ?? 'B'}`;
}

/** 83000 → "1m23s"; under a minute "4.2s". */
export function formatDurationMs(ms: number): string {
  const tenths = Math.round(ms / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return hours > 0 ? `${hours}h${minutes}m` : `${minutes}m${seconds % 60}s`;
}
