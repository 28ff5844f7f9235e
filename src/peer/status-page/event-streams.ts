import type { ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.js';

/** Pages open at the same time; further ones are told to poll. */
export const MAX_EVENT_STREAMS = 16;
/** One event a second. */
export const EVENT_INTERVAL_MS = 1000;
/** A page that takes nothing for so many events has gone. */
export const MAX_SKIPPED_EVENTS = 30;

interface Stream {
  response: ServerResponse;
  skipped: number;
}

/** Server-sent events to all open pages: one snapshot for all, and none while nobody looks. */
export class EventStreams {
  readonly #streams = new Set<Stream>();
  readonly #snapshot: () => object;
  readonly #clock: Clock;
  #cancel: (() => void) | undefined;

  constructor(snapshot: () => object, clock: Clock) {
    this.#snapshot = snapshot;
    this.#clock = clock;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** False when there are {@link MAX_EVENT_STREAMS} already; then nothing was answered. */
  open(response: ServerResponse, headers: Readonly<Record<string, string>>): boolean {
    if (this.#streams.size >= MAX_EVENT_STREAMS) return false;
    const stream: Stream = { response, skipped: 0 };
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8' });
    response.once('close', () => this.#streams.delete(stream));
    this.#streams.add(stream);
    response.write(this.#event());
    this.#schedule();
    return true;
  }

  close(): void {
    this.#cancel?.();
    for (const { response } of this.#streams) response.end();
    this.#streams.clear();
  }

  #schedule(): void {
    this.#cancel ??= this.#clock.after(EVENT_INTERVAL_MS, () => this.#sendAll(), { unref: true });
  }

  #sendAll(): void {
    this.#cancel = undefined;
    if (this.#streams.size === 0) return;
    const event = this.#event();
    for (const stream of this.#streams) this.#send(stream, event);
    this.#schedule();
  }

  /** A slow page misses events instead of having them pile up. */
  #send(stream: Stream, event: string): void {
    const { response } = stream;
    if (!response.writableNeedDrain) {
      stream.skipped = 0;
      response.write(event);
    } else if (++stream.skipped >= MAX_SKIPPED_EVENTS) response.destroy();
  }

  #event(): string {
    return `data: ${JSON.stringify(this.#snapshot())}\n\n`;
  }
}
