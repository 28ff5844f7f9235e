/** What came from one parent in one way. */
export interface CarriedBytes {
  parentId: string;
  protocol: string;
  /** At the parent, and why; absent when the parent doesn't tell. */
  route?: string;
  reason?: string;
  bytes: number;
}

/** What our own daemon tells of a download beyond its pieces; everything is absent from a daemon of Dragonfly's. */
export interface DaemonStory {
  /** From the request to the first byte over the network, in milliseconds; absent when none had to come. */
  firstByteMs?: number;
  /** Why bytes were fetched from the origin; absent when none were. */
  originReason?: string;
  /** How bytes left their parents, the largest part first; empty when the daemon doesn't tell. */
  carried: readonly CarriedBytes[];
}

/** Tolerates whatever another version sends. */
export function parseStory(json: unknown): DaemonStory {
  const told = parseObject(json);
  const { firstByteMs, originReason, carried } = told;
  return {
    ...(typeof firstByteMs === 'number' ? { firstByteMs } : {}),
    ...(typeof originReason === 'string' ? { originReason } : {}),
    carried: Array.isArray(carried) ? carried.filter(isCarriedBytes) : [],
  };
}

function isCarriedBytes(value: unknown): value is CarriedBytes {
  if (typeof value !== 'object' || value === null) return false;
  const { parentId, protocol, route, reason, bytes } = value as Record<string, unknown>;
  const isText = [parentId, protocol].every((each) => typeof each === 'string');
  const mayBeText = [route, reason].every((each) => each === undefined || typeof each === 'string');
  return isText && mayBeText && typeof bytes === 'number';
}

function parseObject(json: unknown): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = typeof json === 'string' ? JSON.parse(decodeURIComponent(json)) : undefined;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
