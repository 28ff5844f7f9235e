/** A bound that is a constant of the code: no key changes it. */
export interface FixedBound {
  /** The constant's or the option's name. */
  name: string;
  value: number;
  unit: BoundUnit;
  bounds: string;
  whenReached: string;
}

export type BoundUnit =
  | 'bytes'
  | 'ms'
  | 'characters'
  | 'headers'
  | 'requests'
  | 'connections'
  | 'transfers'
  | 'pieces'
  | 'tasks'
  | 'parents'
  | 'children'
  | 'files'
  | 'times'
  | 'threads'
  | 'of them'
  | 'entries';

/** What belongs together, under one heading. */
export interface BoundGroup {
  title: string;
  bounds: readonly FixedBound[];
}

/** Takes name and value from a constant written as `{ MAX_THINGS }`, so that the two can't drift apart. */
export function bound(
  constant: Readonly<Record<string, number>>,
  unit: BoundUnit,
  bounds: string,
  whenReached: string,
): FixedBound {
  const [entry, ...others] = Object.entries(constant);
  if (entry === undefined || others.length > 0) throw new TypeError('a bound is exactly one constant');
  const [name, value] = entry;
  return { name, value, unit, bounds, whenReached };
}
