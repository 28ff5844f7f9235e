import type { Socket } from 'node:net';
import { AbortedError, DeadlineError, DfpeerError } from '../../core/errors.js';
import { exchange } from './http2/exchange.js';
import type { HeaderFields } from './http2/hpack.js';
import { MessageSplitter } from './message-splitter.js';
import { GrpcStatusError, statusErrorOf } from './status-error.js';

/** setTimeout knows nothing later. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** A grpc-timeout has at most eight digits. */
const MAX_TIMEOUT_DIGITS = 99_999_999;

export interface GrpcCall {
  connection: Socket;
  /** `/package.Service/Method` */
  path: string;
  message: Buffer;
  metadata: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal: AbortSignal;
  onMetadata: (metadata: HeaderFields) => void;
  /** Awaited: meanwhile the daemon is held back. */
  onMessage: (message: Buffer) => Promise<void> | void;
}

/**
 * One server-streaming gRPC call over a connection of its own (github.com/grpc/grpc, PROTOCOL-HTTP2), and nothing else of gRPC: a library takes
 * longer to load than a small file to download. Resolves with the trailers.
 * @throws GrpcStatusError for a status that is not OK; DeadlineError; AbortedError; DfpeerError DFP_DAEMON_UNREACHABLE when the
 * connection breaks
 */
export async function callDaemon(call: GrpcCall): Promise<HeaderFields> {
  let stopped: DfpeerError | undefined;
  const stop = (reason: DfpeerError): void => {
    stopped ??= reason;
    call.connection.destroy();
  };
  const onAbort = (): void => stop(new AbortedError('the download', { cause: call.signal.reason }));
  const timer = setTimeout(
    () => stop(new DeadlineError('the daemon', call.timeoutMs)),
    Math.min(call.timeoutMs, MAX_TIMER_MS),
  );
  call.signal.addEventListener('abort', onAbort, { once: true });
  if (call.signal.aborted) onAbort();
  try {
    return await follow(call);
  } catch (error) {
    if (stopped !== undefined) throw stopped;
    if (error instanceof DfpeerError || error instanceof GrpcStatusError) throw error;
    const text = error instanceof Error ? error.message : String(error);
    throw new DfpeerError(
      'DFP_DAEMON_UNREACHABLE',
      `the connection to the daemon broke (${text}); see its log, and run this again to go on`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
    call.signal.removeEventListener('abort', onAbort);
    call.connection.destroy();
  }
}

async function follow(call: GrpcCall): Promise<HeaderFields> {
  const splitter = new MessageSplitter();
  let answerHeaders: HeaderFields | undefined;
  const end = await exchange(call.connection, {
    headers: {
      ':method': 'POST',
      ':scheme': 'http',
      ':path': call.path,
      ':authority': 'localhost',
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': grpcTimeout(call.timeoutMs),
      ...call.metadata,
    },
    body: frame(call.message),
    onHeaders: (headers) => {
      if (answerHeaders !== undefined) return;
      answerHeaders = headers;
      // An answer that is a status only has it here.
      if (headers['grpc-status'] === undefined) call.onMetadata(headers);
    },
    onData: async (data) => {
      for (const message of splitter.push(data)) await call.onMessage(message);
    },
  });
  if (end['grpc-status'] === undefined) {
    const httpStatus = answerHeaders?.[':status'] ?? '200';
    throw new Error(httpStatus === '200' ? 'it ended without a status' : `HTTP status ${httpStatus}`);
  }
  const error = statusErrorOf(end);
  if (error !== undefined) throw error;
  return end;
}

/** Length-prefixed, not compressed. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function grpcTimeout(ms: number): string {
  return ms <= MAX_TIMEOUT_DIGITS ? `${Math.ceil(ms)}m` : `${Math.min(Math.ceil(ms / 1000), MAX_TIMEOUT_DIGITS)}S`;
}
