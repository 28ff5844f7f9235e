import {
  type Attributes,
  type Context,
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  type Span as OpenTelemetrySpan,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer as OpenTelemetryTracer,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { withDeadline } from '../../core/deadline.js';
import { toDfpeerError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { redactText } from '../../core/redact.js';
import { headerBytes } from '../../core/request-header.js';
import type { Span, SpanAttributes, Tracer } from '../../core/tracing.js';
import { formatTraceParent, parseTraceParent } from './trace-parent.js';
import type { TracedProcess, Tracing, TracingSettings } from './open-tracing.js';

/** Spans that wait to be sent; further ones are dropped. */
export const MAX_QUEUED_SPANS = 4096;
/** Spans of one request to the collector. */
export const MAX_SPANS_PER_EXPORT = 512;
/** How often they are sent. */
const EXPORT_INTERVAL_MS = 2_000;
/** One request to the collector, retries included. */
export const TRACE_EXPORT_TIMEOUT_MS = 5_000;
/** Sending what is left when the daemon ends. */
export const TRACE_FLUSH_TIMEOUT_MS = 2_000;
/** A flush sends all of the queue at once, and one request may be under way already. */
const MAX_CONCURRENT_EXPORTS = MAX_QUEUED_SPANS / MAX_SPANS_PER_EXPORT + 2;

/** Spans by OTLP over HTTP, in JSON. A collector that is slow or gone costs spans, never a download. */
export class OpenTelemetryTracing implements Tracing {
  readonly tracer: Tracer;
  readonly #provider: BasicTracerProvider;
  readonly #logger: Logger;

  constructor({ url, headers }: TracingSettings, described: TracedProcess, logger: Logger) {
    this.#logger = logger;
    reportFailuresTo(logger);
    const exporter = new OTLPTraceExporter({
      url,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, headerBytes(value)])),
      timeoutMillis: TRACE_EXPORT_TIMEOUT_MS,
      concurrencyLimit: MAX_CONCURRENT_EXPORTS,
    });
    const processor = new BatchSpanProcessor(exporter, {
      maxQueueSize: MAX_QUEUED_SPANS,
      maxExportBatchSize: MAX_SPANS_PER_EXPORT,
      scheduledDelayMillis: EXPORT_INTERVAL_MS,
      exportTimeoutMillis: TRACE_EXPORT_TIMEOUT_MS,
    });
    this.#provider = new BasicTracerProvider({
      spanProcessors: [processor],
      resource: resourceFromAttributes({
        'service.name': 'dfpeer',
        'service.version': described.version,
        'host.name': described.hostname,
        'host.ip': described.ip,
        'process.pid': process.pid,
      }),
    });
    this.tracer = new SpanSource(this.#provider.getTracer('dfpeer', described.version), ROOT_CONTEXT);
  }

  async close(): Promise<void> {
    const limit = { waitingFor: 'the trace collector', timeoutMs: TRACE_FLUSH_TIMEOUT_MS };
    await withDeadline(limit, () => this.#provider.shutdown()).catch((error: unknown) =>
      this.#logger.warn({ err: error }, 'the last traces were not sent'),
    );
  }
}

/** Begins spans below one context. */
class SpanSource implements Tracer {
  readonly traceParent: string | undefined;
  readonly #tracer: OpenTelemetryTracer;
  readonly #context: Context;

  constructor(tracer: OpenTelemetryTracer, context: Context) {
    this.#tracer = tracer;
    this.#context = context;
    const spanContext = trace.getSpanContext(context);
    this.traceParent = spanContext && formatTraceParent(spanContext);
  }

  begin(name: string, attributes: SpanAttributes, remoteParent?: string): Span {
    const options = { kind: SpanKind.INTERNAL, attributes: defined(attributes) };
    const context = remoteParent === undefined ? this.#context : contextOf(remoteParent, this.#context);
    return new RunningSpan(this.#tracer, this.#tracer.startSpan(name, options, context));
  }
}

class RunningSpan extends SpanSource implements Span {
  readonly #span: OpenTelemetrySpan;

  constructor(tracer: OpenTelemetryTracer, span: OpenTelemetrySpan) {
    super(tracer, trace.setSpan(ROOT_CONTEXT, span));
    this.#span = span;
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(defined(attributes));
  }

  end(error?: unknown): void {
    if (error !== undefined) {
      const { code, message } = toDfpeerError(error);
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: redactText(message) });
      this.#span.setAttribute('error.type', code);
    }
    this.#span.end();
  }
}

function contextOf(remoteParent: string, otherwise: Context): Context {
  const name = parseTraceParent(remoteParent);
  return name === undefined ? otherwise : trace.setSpanContext(ROOT_CONTEXT, { ...name, isRemote: true });
}

function defined(attributes: SpanAttributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

/** The library tells of failed exports here; the first is news, the others are noise. */
function reportFailuresTo(logger: Logger): void {
  let hasFailed = false;
  const quiet = (): void => undefined;
  const failed = (message: string): void => {
    logger[hasFailed ? 'debug' : 'warn']({}, `traces could not be sent: ${message}`);
    hasFailed = true;
  };
  diag.setLogger(
    { error: failed, warn: failed, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}
