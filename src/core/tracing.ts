/** Values that a span can carry. URLs among them must be redacted by whoever sets them. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Begins spans: stretches of work with a name, a start, an end and attributes. */
export interface Tracer {
  /** `traceparent` of the span that those begun here belong to, for requests to others; undefined where there is none, or nothing is traced. */
  readonly traceParent: string | undefined;
  /**
   * `attributes` that are undefined are left out. The span must be ended. `remoteParent`: the `traceparent` of a span elsewhere that it
   * belongs to; what is none is overlooked.
   */
  begin(name: string, attributes: SpanAttributes, remoteParent?: string): Span;
}

/** HTTP header and gRPC metadata of a request that belongs to a span (W3C Trace Context). */
export const TRACE_PARENT_HEADER = 'traceparent';

/** One stretch of work. What it begins in turn belongs to it. */
export interface Span extends Tracer {
  set(attributes: SpanAttributes): void;
  /** Once; with what went wrong, if something did. */
  end(error?: unknown): void;
}

/** Costs nothing, tells nobody. */
export const noTracing: Span = {
  traceParent: undefined,
  begin: () => noTracing,
  set: () => undefined,
  end: () => undefined,
};

/** Runs `work` within a span that ends with it. */
export async function traced<T>(
  tracer: Tracer,
  name: string,
  attributes: SpanAttributes,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const span = tracer.begin(name, attributes);
  return endingWith(span, () => work(span));
}

/** Runs `work`, and ends the span with it. */
export async function endingWith<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
}
