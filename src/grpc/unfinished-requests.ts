import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../core/clock.js';

/** Of requests whose end has not come, in all calls of one server. */
export const MAX_UNFINISHED_REQUEST_BYTES = 32 * 1024 * 1024;
/** From the beginning of a call to the end of its request; in a stream of requests, from the first byte of one to its last. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** What a chunk takes beside its bytes: a request that comes byte by byte is large, too. */
const CHUNK_OVERHEAD_BYTES = 512;
/** A flag and a length, before each message. */
const FRAME_HEAD_BYTES = 5;

interface Unfinished {
  sinceMs: number;
  heldBytes: number;
}

/**
 * Ends calls of which the request does not come to an end: grpc-js keeps what it has of a message for as long as the client likes. Those
 * that take too long, and, when all together hold too much, those that began first.
 */
export class UnfinishedRequests {
  readonly #clock: Clock;
  /** In the order in which they began. */
  readonly #unfinished = new Map<ServerHttp2Stream, Unfinished>();
  #heldBytes = 0;
  #isTimerSet = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of a call that grpc-js has just begun to read. One with a single request is finished when the client has closed its half. */
  watch(stream: ServerHttp2Stream, { isStreaming }: { isStreaming: boolean }): void {
    const frames = new FrameReader();
    if (!isStreaming) this.#grow(stream, 0);
    stream.on('data', (chunk: Buffer) => {
      frames.read(chunk);
      if (isStreaming && frames.isBetweenMessages) this.#forget(stream);
      else this.#grow(stream, chunk.length + CHUNK_OVERHEAD_BYTES);
    });
    const forget = (): void => this.#forget(stream);
    stream.once('end', forget).once('close', forget);
  }

  #grow(stream: ServerHttp2Stream, bytes: number): void {
    if (stream.destroyed) return;
    const unfinished = this.#unfinished.get(stream) ?? { sinceMs: this.#clock.monotonicMs(), heldBytes: 0 };
    this.#unfinished.set(stream, unfinished);
    unfinished.heldBytes += bytes;
    this.#heldBytes += bytes;
    if (!this.#isTimerSet) this.#wait(REQUEST_TIMEOUT_MS);
    if (this.#heldBytes > MAX_UNFINISHED_REQUEST_BYTES) this.#end(this.#oldest()?.stream ?? stream);
  }

  #forget(stream: ServerHttp2Stream): void {
    this.#heldBytes -= this.#unfinished.get(stream)?.heldBytes ?? 0;
    this.#unfinished.delete(stream);
  }

  /** gRPC clients take it for RESOURCE_EXHAUSTED. */
  #end(stream: ServerHttp2Stream): void {
    this.#forget(stream);
    stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #oldest(): { stream: ServerHttp2Stream; sinceMs: number } | undefined {
    for (const [stream, { sinceMs }] of this.#unfinished) return { stream, sinceMs };
    return undefined;
  }

  #wait(delayMs: number): void {
    this.#isTimerSet = true;
    this.#clock.after(delayMs, () => this.#endLate(), { unref: true });
  }

  #endLate(): void {
    this.#isTimerSet = false;
    const nowMs = this.#clock.monotonicMs();
    for (let oldest = this.#oldest(); oldest !== undefined; oldest = this.#oldest()) {
      const leftMs = oldest.sinceMs + REQUEST_TIMEOUT_MS - nowMs;
      if (leftMs > 0) return this.#wait(leftMs);
      this.#end(oldest.stream);
    }
  }
}

/** Where messages begin and end in what a client sends. */
class FrameReader {
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES);
  #headBytes = 0;
  #bytesLeft = 0;

  get isBetweenMessages(): boolean {
    return this.#headBytes === 0;
  }

  read(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#headBytes < FRAME_HEAD_BYTES) {
        const copied = chunk.copy(this.#head, this.#headBytes, at);
        this.#headBytes += copied;
        at += copied;
        if (this.#headBytes === FRAME_HEAD_BYTES) this.#bytesLeft = this.#head.readUInt32BE(1);
      } else {
        const taken = Math.min(this.#bytesLeft, chunk.length - at);
        this.#bytesLeft -= taken;
        at += taken;
      }
      if (this.#headBytes === FRAME_HEAD_BYTES && this.#bytesLeft === 0) this.#headBytes = 0;
    }
  }
}
