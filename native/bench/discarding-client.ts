import { parseArgs } from 'node:util';
import { ConnectionPoll, type DiscardingConnection, type Target } from './discarding-connection.js';
import { HttpConnection } from './http-connection.js';
import { VortexConnections } from './vortex-connections.js';

/**
 * A client that costs as little as possible, so that the server is what a benchmark measures. Runs as a process
 * of its own until it has so many bytes, or for so long, and prints what it saw as JSON.
 */
export interface ClientReport {
  bytes: number;
  requests: number;
  seconds: number;
  bytesByConnection: number[];
  /** Bytes per second in windows of 100 ms, one after the other. */
  windowRates: number[];
}

const STALL_TIMEOUT_MS = 20_000;
const WINDOW_MS = 100;

const { values } = parseArgs({
  options: {
    protocol: { type: 'string', default: 'http' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string' },
    path: { type: 'string' },
    'range-bytes': { type: 'string' },
    'file-bytes': { type: 'string' },
    connections: { type: 'string' },
    'total-bytes': { type: 'string', default: 'Infinity' },
    seconds: { type: 'string', default: 'Infinity' },
    /** Not counted: until rates and buffers have settled. */
    'settle-seconds': { type: 'string', default: '0' },
  },
});
const target: Target = {
  host: values.host,
  port: Number(values.port),
  path: values.path ?? '/',
  rangeBytes: Number(values['range-bytes']),
  fileBytes: Number(values['file-bytes']),
};

const connections: DiscardingConnection[] = [];
for (let index = 0; index < Number(values.connections); index++)
  connections.push(values.protocol === 'vortex' ? new VortexConnections(target) : await HttpConnection.open(target));
const polled = new ConnectionPoll(connections);
for (const connection of connections) connection.request();
receiveUntil(performance.now() + Number(values['settle-seconds']) * 1000, Number.POSITIVE_INFINITY);

const before = connections.map(({ received }) => received);
const requestsBefore = requestsOf(connections);
const startedMs = performance.now();
const windowRates = receiveUntil(startedMs + Number(values.seconds) * 1000, Number(values['total-bytes']));
const bytesByConnection = connections.map(({ received }, index) => received - (before[index] ?? 0));
const report: ClientReport = {
  bytes: bytesByConnection.reduce((sum, bytes) => sum + bytes, 0),
  requests: requestsOf(connections) - requestsBefore,
  seconds: (performance.now() - startedMs) / 1000,
  bytesByConnection,
  windowRates,
};
process.stdout.write(JSON.stringify(report), () => process.exit(0));

/** Receives until either is reached; returns the rates of the windows that passed. */
function receiveUntil(endMs: number, totalBytes: number): number[] {
  const rates: number[] = [];
  const first = bytesOf(connections);
  let window = { sinceMs: performance.now(), bytes: first };
  let lastMs = window.sinceMs;
  for (let nowMs = lastMs; nowMs < endMs; nowMs = performance.now()) {
    const waitMs = Math.min(window.sinceMs + WINDOW_MS, endMs) - nowMs;
    if (polled.receive(Math.max(1, Math.ceil(waitMs)))) lastMs = nowMs;
    else if (nowMs - lastMs > STALL_TIMEOUT_MS) throw new Error('the server stalled');
    const bytes = bytesOf(connections);
    if (bytes - first >= totalBytes) break;
    const elapsedMs = performance.now() - window.sinceMs;
    if (elapsedMs < WINDOW_MS) continue;
    rates.push(((bytes - window.bytes) / elapsedMs) * 1000);
    window = { sinceMs: window.sinceMs + elapsedMs, bytes };
  }
  return rates;
}

function bytesOf(all: readonly DiscardingConnection[]): number {
  return all.reduce((sum, { received }) => sum + received, 0);
}

function requestsOf(all: readonly DiscardingConnection[]): number {
  return all.reduce((sum, { requests }) => sum + requests, 0);
}
