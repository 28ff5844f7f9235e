/** What our own daemon tells of a download beyond its pieces; everything is absent from a daemon of Dragonfly's. */
export interface DaemonStory {
  /** From the request to the first byte over the network, in milliseconds; absent when none had to come. */
  firstByteMs?: number;
  /** Why bytes were fetched from the origin; absent when none were. */
  originReason?: string;
}

/** Tolerates whatever another version sends. */
export function parseStory(json: unknown): DaemonStory {
  const told = parseObject(json);
  const { firstByteMs, originReason } = told;
  return {
    ...(typeof firstByteMs === 'number' ? { firstByteMs } : {}),
    ...(typeof originReason === 'string' ? { originReason } : {}),
  };
}

function parseObject(json: unknown): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = typeof json === 'string' ? JSON.parse(decodeURIComponent(json)) : undefined;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
