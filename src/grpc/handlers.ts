import type {
  handleClientStreamingCall,
  Metadata,
  handleServerStreamingCall,
  handleUnaryCall,
  sendUnaryData,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { type Clock, systemClock } from '../core/clock.js';
import { withDeadline } from '../core/deadline.js';
import { AbortedError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { MessageName, Messages } from './messages.js';
import { toGrpcError } from './status.js';
import { validateMessage } from './validation.js';

/** A reader that takes nothing for this long has gone. */
export const STREAM_WRITE_TIMEOUT_MS = 60_000;

/** How long a reader may take nothing, and what that is counted by. */
export interface ReaderPatience {
  timeoutMs: number;
  clock: Clock;
}

/**
 * A unary call of which the request is a message called `name`. It is validated, and there is one error boundary: whatever is thrown costs
 * this call only, and reaches the caller as a coded status.
 */
export function unary<Name extends MessageName, Response>(
  name: Name,
  logger: Logger,
  handle: (
    request: Messages[Name],
    call: ServerUnaryCall<Messages[Name], Response>,
    signal: AbortSignal,
  ) => Response | Promise<Response>,
): handleUnaryCall<Messages[Name], Response> {
  return (call: ServerUnaryCall<Messages[Name], Response>, callback: sendUnaryData<Response>) => {
    const controller = new AbortController();
    call.on('cancelled', () => controller.abort(new AbortedError(`call ${call.getPath()}`)));
    // What is thrown before the first await counts, too.
    const answer = async (): Promise<Response> => {
      validateMessage(name, call.request);
      return handle(call.request, call, controller.signal);
    };
    answer().then(
      (response) => callback(null, response),
      (error: unknown) => {
        logger.debug({ err: error, path: call.getPath(), peer: call.getPeer() }, 'a call failed');
        callback(toGrpcError(error));
      },
    );
  };
}

/**
 * Sends one message, and waits while the reader is slow: a few messages ahead of it, with `isLarge` none. Rejects with DFP_DEADLINE, or when
 * the call was cancelled.
 */
export type SendMessage<Response> = (message: Response, isLarge?: boolean) => Promise<void>;

/** The same for server streams. Ends the stream with the trailer that `handle` resolves with, if any. */
export function serverStream<Name extends MessageName, Response>(
  name: Name,
  logger: Logger,
  handle: (
    request: Messages[Name],
    send: SendMessage<Response>,
    call: ServerWritableStream<Messages[Name], Response>,
    signal: AbortSignal,
  ) => Promise<Metadata | undefined>,
  { timeoutMs, clock }: ReaderPatience = { timeoutMs: STREAM_WRITE_TIMEOUT_MS, clock: systemClock },
): handleServerStreamingCall<Messages[Name], Response> {
  return (call: ServerWritableStream<Messages[Name], Response>) => {
    const controller = new AbortController();
    const onGone = (): void => controller.abort(new AbortedError(`call ${call.getPath()}`));
    call.on('cancelled', onGone);
    call.on('error', onGone);
    const send: SendMessage<Response> = async (message, isLarge = false) => {
      controller.signal.throwIfAborted();
      let hasRoom = false;
      const taken = new Promise<void>((resolve) => (hasRoom = call.write(message, () => resolve())));
      if (hasRoom && !isLarge) return;
      const waitingFor = 'the client to read on; ask again to go on from there';
      await withDeadline({ waitingFor, timeoutMs, clock, signal: controller.signal }, () => taken);
    };
    const answer = async (): Promise<Metadata | undefined> => {
      validateMessage(name, call.request);
      return handle(call.request, send, call, controller.signal);
    };
    answer().then(
      (trailer) => call.end(trailer),
      (error: unknown) => {
        if (controller.signal.aborted) return call.end();
        logger.debug({ err: error, path: call.getPath(), peer: call.getPeer() }, 'a stream failed');
        call.emit('error', toGrpcError(error));
        return undefined;
      },
    );
  };
}

/**
 * The same for streams of requests, which `handle` reads one after the other: the client waits meanwhile. `peer` is the client as
 * grpc-js names it.
 */
export function clientStream<Name extends MessageName, Response>(
  name: Name,
  logger: Logger,
  handle: (requests: AsyncIterable<Messages[Name]>, peer: string, signal: AbortSignal) => Promise<Response>,
): handleClientStreamingCall<Messages[Name], Response> {
  return (call: ServerReadableStream<Messages[Name], Response>, callback: sendUnaryData<Response>) => {
    const controller = new AbortController();
    call.on('cancelled', () => {
      controller.abort(new AbortedError(`call ${call.getPath()}`));
      call.destroy();
    });
    handle(validated(name, call), call.getPeer(), controller.signal).then(
      (response) => callback(null, response),
      (error: unknown) => {
        if (!controller.signal.aborted)
          logger.debug({ err: error, path: call.getPath(), peer: call.getPeer() }, 'a stream failed');
        callback(toGrpcError(error));
      },
    );
  };
}

async function* validated<Name extends MessageName>(
  name: Name,
  messages: AsyncIterable<Messages[Name]>,
): AsyncGenerator<Messages[Name]> {
  for await (const message of messages) {
    validateMessage(name, message);
    yield message;
  }
}
