import { CLUSTER_BOUNDS } from './bounds/cluster.js';
import { DAEMON_BOUNDS } from './bounds/daemon.js';
import { FETCHING_BOUNDS } from './bounds/fetching.js';
import type { BoundGroup, FixedBound } from './bounds/fixed-bound.js';
import { OPERATOR_BOUNDS } from './bounds/operators.js';
import { SERVING_BOUNDS } from './bounds/serving.js';
import { code, renderTable } from './markdown.js';

export const FIXED_BOUNDS: readonly BoundGroup[] = [
  ...SERVING_BOUNDS,
  ...FETCHING_BOUNDS,
  ...CLUSTER_BOUNDS,
  ...DAEMON_BOUNDS,
  ...OPERATOR_BOUNDS,
];

/** One table a group of the constants that bound something. */
export function renderFixedLimits(): string {
  return FIXED_BOUNDS.map(({ title, bounds }) => {
    const rows = bounds.map((each) => [code(each.name), each.bounds, formatBound(each), each.whenReached]);
    return `### ${title}\n\n${renderTable(['Name', 'Bounds', 'Value', 'When reached'], rows)}`;
  }).join('\n\n');
}

const BYTE_STEPS = ['bytes', 'KiB', 'MiB', 'GiB'];
const TIME_STEPS = [
  { unit: 'h', ms: 3_600_000 },
  { unit: 'min', ms: 60_000 },
  { unit: 's', ms: 1000 },
];

/** 65536 bytes as "64 KiB", 90000 ms as "90 s"; only what divides evenly. */
export function formatBound({ value, unit }: Pick<FixedBound, 'value' | 'unit'>): string {
  if (unit === 'bytes') {
    let [amount, step] = [value, 0];
    for (; amount % 1024 === 0 && amount > 0 && step < BYTE_STEPS.length - 1; step++) amount /= 1024;
    return `${amount} ${BYTE_STEPS[step] ?? ''}`;
  }
  if (unit === 'ms') {
    const step = TIME_STEPS.find(({ ms }) => value >= ms && value % ms === 0);
    return step === undefined ? `${value} ms` : `${value / step.ms} ${step.unit}`;
  }
  return `${value} ${unit}`;
}
