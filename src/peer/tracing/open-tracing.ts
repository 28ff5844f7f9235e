import type { Logger } from '../../core/logger.js';
import { noTracing, type Tracer } from '../../core/tracing.js';

/** Where spans are sent: OTLP over HTTP, JSON. */
export interface TracingSettings {
  /** `http://HOST:4318/v1/traces` */
  url: string;
  /** Sent along, for collectors that want to know who comes. */
  headers: Readonly<Record<string, string>>;
}

/** What describes this process in every trace. */
export interface TracedProcess {
  version: string;
  hostname: string;
  ip: string;
}

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what is left, within a short deadline. Never rejects. */
  close(): Promise<void>;
}

/** Traces, or nothing at all: the libraries are loaded only where traces are wanted. */
export async function openTracing(
  settings: TracingSettings | undefined,
  described: TracedProcess,
  logger: Logger,
): Promise<Tracing> {
  if (settings === undefined) return { tracer: noTracing, close: async () => undefined };
  const { OpenTelemetryTracing } = await import('./open-telemetry.js');
  return new OpenTelemetryTracing(settings, described, logger);
}
