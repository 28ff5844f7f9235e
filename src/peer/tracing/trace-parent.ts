/** What names a span to others. */
export interface SpanName {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 of them. */
  spanId: string;
  /** Bit 0: it is recorded. */
  traceFlags: number;
}

const TRACE_PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** W3C Trace Context, version 00. */
export function formatTraceParent({ traceId, spanId, traceFlags }: SpanName): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** Undefined unless it is one; of a later version, what version 00 knows of it. */
export function parseTraceParent(text: string): SpanName | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACE_PARENT.exec(text) ?? [];
  const isOne = version !== undefined && version !== 'ff' && (version !== '00' || more === undefined);
  if (!isOne || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1 };
}
