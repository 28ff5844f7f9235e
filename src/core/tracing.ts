/** Values that a span can carry. URLs among them must be redacted by whoever sets them. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Begins spans: stretches of work with a name, a start, an end and attributes. */
export interface Tracer {
  /** `attributes` that are undefined are left out. The span must be ended. */
  begin(name: string, attributes: SpanAttributes): Span;
}

/** One stretch of work. What it begins in turn belongs to it. */
export interface Span extends Tracer {
  set(attributes: SpanAttributes): void;
  /** Once; with what went wrong, if something did. */
  end(error?: unknown): void;
}

/** Costs nothing, tells nobody. */
export const noTracing: Span = {
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
  try {
    const result = await work(span);
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
}
