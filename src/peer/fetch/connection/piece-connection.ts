import { connect, type LookupFunction, type Socket } from 'node:net';
import { setReceiveLowWater } from '../../../../native/index.js';
import type { Clock } from '../../../core/clock.js';
import { abortReason } from '../../../core/deadline.js';
import { DfpeerError } from '../../../core/errors.js';
import { hint } from '../../../upload/kernel-hint.js';
import { ReadBatching } from './read-batching.js';

/** All connections of a thread read into one buffer of this size: bytes are consumed before the next read starts. */
export const RECEIVE_BUFFER_BYTES = 1024 * 1024;
/** Under a budget no read may bring more than this, for it is paid only afterwards. */
export const METERED_READ_BYTES = 64 * 1024;
export const CONNECT_TIMEOUT_MS = 2000;
const TCP_KEEP_ALIVE_MS = 5000;

/** Of a parent or of an http origin. */
export interface Endpoint {
  host: string;
  port: number;
}

export interface ConnectionConsumer {
  /** `chunk` is only valid during the call. False stops reading until resume(). Must not throw. */
  onBytes(chunk: Uint8Array): boolean;
  onEnd(): void;
  onError(error: Error): void;
}

/** A TCP connection to a parent or an http origin that reads into one large reused buffer, not through stream chunks. */
export class PieceConnection {
  readonly endpoint: Endpoint;
  /** Smaller reads, see METERED_READ_BYTES. */
  readonly metered: boolean;
  /** Who gets the bytes; without one, whatever comes closes the connection. */
  consumer: ConnectionConsumer | undefined;
  readonly #socket: Socket;
  /** Under a budget bytes wait for their lease instead. */
  readonly #batching: ReadBatching | undefined;
  #ended = false;

  constructor(
    endpoint: Endpoint,
    buffer: Uint8Array,
    { metered, lookup, clock }: { metered: boolean; lookup?: LookupFunction | undefined; clock: Clock },
  ) {
    this.endpoint = endpoint;
    this.metered = metered;
    this.#socket = connect({
      host: endpoint.host,
      port: endpoint.port,
      ...(lookup === undefined ? {} : { lookup }),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      // Half-open on our side: the other side's FIN must not make Node send ours while bytes are still to be read.
      allowHalfOpen: true,
      onread: {
        buffer: metered ? buffer.subarray(0, METERED_READ_BYTES) : buffer,
        callback: (length, filled) => this.#deliver(filled.subarray(0, length)),
      },
    });
    if (!metered) this.#batching = new ReadBatching((bytes) => this.#setLowWater(bytes), clock);
    this.#socket.on('end', () => {
      this.#ended = true;
      if (this.consumer === undefined) this.destroy();
      else this.consumer.onEnd();
    });
    this.#socket.on('error', (error) => this.consumer?.onError(error));
    this.#socket.on('close', () => (this.#ended = true));
  }

  get usable(): boolean {
    return !this.#ended && !this.#socket.destroyed && this.#socket.writable;
  }

  /** @throws DfpeerError DFP_PARENT_UNREACHABLE, for origins too; the signal's reason */
  async connected(name: string, signal: AbortSignal, timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#socket.off('connect', onConnect);
        this.consumer = undefined;
        if (error === undefined) return resolve();
        this.destroy();
        reject(error);
      };
      const unreachable = (text: string, cause?: Error): DfpeerError =>
        new DfpeerError('DFP_PARENT_UNREACHABLE', `cannot connect to ${name}: ${text}`, { cause });
      const onConnect = (): void => settle();
      const onAbort = (): void => settle(abortReason(signal, name));
      const timer = setTimeout(() => settle(unreachable(`no answer within ${timeoutMs} ms`)), timeoutMs);
      this.#socket.once('connect', onConnect);
      this.consumer = {
        onBytes: () => false,
        onEnd: () => settle(unreachable('closed at once')),
        onError: (error) => settle(unreachable(error.message, error)),
      };
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The consumer has taken a read of `bytes`, and at least `missing` more are certain to come. */
  expect(bytes: number, missing: number): void {
    this.#batching?.read(bytes, missing);
  }

  resume(): void {
    this.#socket.resume();
  }

  /** No bytes are delivered after this returns. Idempotent. */
  destroy(): void {
    this.consumer = undefined;
    this.#batching?.close();
    this.#socket.destroy();
  }

  #setLowWater(bytes: number): void {
    if (!this.#socket.destroyed) hint(() => setReceiveLowWater(this.#socket, bytes));
  }

  #deliver(chunk: Uint8Array): boolean {
    if (this.consumer !== undefined) return this.consumer.onBytes(chunk);
    this.destroy();
    return false;
  }
}
