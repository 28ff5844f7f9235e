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
import { withDeadline } from '../../core/deadline.js';
import { AbortedError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { toGrpcError } from '../../grpc/status.js';

/** A reader that takes nothing for this long has gone. */
export const STREAM_WRITE_TIMEOUT_MS = 60_000;

/** One error boundary for unary calls: whatever is thrown costs this call only, and reaches the caller as a coded status. */
export function unary<Request, Response>(
  logger: Logger,
  handle: (request: Request, call: ServerUnaryCall<Request, Response>, signal: AbortSignal) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => {
    const controller = new AbortController();
    call.on('cancelled', () => controller.abort(new AbortedError(`call ${call.getPath()}`)));
    // What is thrown before the first await counts, too.
    const answer = async (): Promise<Response> => handle(call.request, call, controller.signal);
    answer().then(
      (response) => callback(null, response),
      (error: unknown) => {
        logger.debug({ err: error, path: call.getPath(), peer: call.getPeer() }, 'a call failed');
        callback(toGrpcError(error));
      },
    );
  };
}

/** Sends one message, and waits while the reader is slow. Rejects with DFP_DEADLINE, or when the call was cancelled. */
export type SendMessage<Response> = (message: Response) => Promise<void>;

/** The same boundary for server streams. Ends the stream with the trailer that `handle` resolves with, if any. */
export function serverStream<Request, Response>(
  logger: Logger,
  handle: (
    request: Request,
    send: SendMessage<Response>,
    call: ServerWritableStream<Request, Response>,
    signal: AbortSignal,
  ) => Promise<Metadata | undefined>,
): handleServerStreamingCall<Request, Response> {
  return (call: ServerWritableStream<Request, Response>) => {
    const controller = new AbortController();
    const onGone = (): void => controller.abort(new AbortedError(`call ${call.getPath()}`));
    call.on('cancelled', onGone);
    call.on('error', onGone);
    const send: SendMessage<Response> = async (message) => {
      controller.signal.throwIfAborted();
      if (call.write(message)) return;
      await withDeadline(
        {
          waitingFor: `the reader of ${call.getPath()} at ${call.getPeer()}`,
          timeoutMs: STREAM_WRITE_TIMEOUT_MS,
          signal: controller.signal,
        },
        () => new Promise<void>((resolve) => call.once('drain', () => resolve())),
      );
    };
    const answer = async (): Promise<Metadata | undefined> => handle(call.request, send, call, controller.signal);
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
 * The same boundary for streams of requests, which `handle` reads one after the other: the client waits meanwhile. `peer` is the client as
 * grpc-js names it.
 */
export function clientStream<Request, Response>(
  logger: Logger,
  handle: (requests: AsyncIterable<Request>, peer: string, signal: AbortSignal) => Promise<Response>,
): handleClientStreamingCall<Request, Response> {
  return (call: ServerReadableStream<Request, Response>, callback: sendUnaryData<Response>) => {
    const controller = new AbortController();
    call.on('cancelled', () => {
      controller.abort(new AbortedError(`call ${call.getPath()}`));
      call.destroy();
    });
    handle(call, call.getPeer(), controller.signal).then(
      (response) => callback(null, response),
      (error: unknown) => {
        if (!controller.signal.aborted)
          logger.debug({ err: error, path: call.getPath(), peer: call.getPeer() }, 'a stream failed');
        callback(toGrpcError(error));
      },
    );
  };
}
