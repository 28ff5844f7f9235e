import { connect as connectHttp2, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { LONGEST_TIMER_MS } from '../../core/clock.js';
import { AbortedError, DeadlineError, DfpeerError, messageOf } from '../../core/errors.js';
import { watchHeartbeat } from './heartbeat.js';
import { MessageSplitter } from './message-splitter.js';
import { GrpcStatusError, statusErrorOf } from './status-error.js';

/** More than this is not taken from the daemon before it was handled. */
const WINDOW_BYTES = 1024 * 1024;
/** A grpc-timeout has at most eight digits. */
const MAX_TIMEOUT_DIGITS = 99_999_999;

export interface GrpcCall {
  connection: Socket;
  /** Who is at the other end, for people. */
  daemon: string;
  /** `/package.Service/Method` */
  path: string;
  message: Buffer;
  metadata: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal: AbortSignal;
  onMetadata: (metadata: IncomingHttpHeaders) => void;
  /** Awaited: meanwhile the daemon is held back. */
  onMessage: (message: Buffer) => Promise<void> | void;
  /** Between two questions for a sign of life. */
  pingIntervalMs?: number;
}

/**
 * One server-streaming gRPC call over a connection of its own (github.com/grpc/grpc, PROTOCOL-HTTP2), and nothing else of gRPC: a library takes
 * longer to load than a small file to download. Resolves with the trailers.
 * @throws GrpcStatusError for a status that is not OK; DeadlineError; AbortedError; DfpeerError DFP_DAEMON_UNREACHABLE when the
 * connection breaks, or the daemon gives no sign of life
 */
export async function callDaemon(call: GrpcCall): Promise<IncomingHttpHeaders> {
  let stopped: DfpeerError | undefined;
  const session = openSession(call.connection);
  const stop = (reason: DfpeerError): void => {
    stopped ??= reason;
    session.destroy();
  };
  const onAbort = (): void => stop(new AbortedError('the download', { cause: call.signal.reason }));
  const timer = setTimeout(
    () => stop(new DeadlineError('the daemon', call.timeoutMs)),
    Math.min(call.timeoutMs, LONGEST_TIMER_MS),
  );
  const endHeartbeat = watchHeartbeat(session, () => stop(notAnswering(call.daemon)), call.pingIntervalMs);
  call.signal.addEventListener('abort', onAbort, { once: true });
  if (call.signal.aborted) onAbort();
  try {
    return await follow(session, call);
  } catch (error) {
    if (stopped !== undefined) throw stopped;
    if (error instanceof DfpeerError || error instanceof GrpcStatusError) throw error;
    const text = messageOf(error);
    // RFC 9113, 8.7: it has done nothing of it. That is how a server says no that has begun to end.
    if (text.includes('NGHTTP2_REFUSED_STREAM'))
      throw new DfpeerError('DFP_SHUTTING_DOWN', `${call.daemon} is shutting down; run this again`, { cause: error });
    throw new DfpeerError(
      'DFP_DAEMON_UNREACHABLE',
      `the connection to the daemon broke (${text}); see its log, and run this again to go on`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
    endHeartbeat();
    call.signal.removeEventListener('abort', onAbort);
    session.destroy();
  }
}

function openSession(connection: Socket): ClientHttp2Session {
  const session = connectHttp2('http://localhost', {
    createConnection: () => connection,
    settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
  });
  // The stream hears of it too, and reports it.
  session.on('error', () => undefined);
  session.once('connect', () => {
    // It may have been stopped before.
    if (!session.destroyed) session.setLocalWindowSize(WINDOW_BYTES);
  });
  return session;
}

async function follow(session: ClientHttp2Session, call: GrpcCall): Promise<IncomingHttpHeaders> {
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: call.path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': grpcTimeout(call.timeoutMs),
    ...call.metadata,
  });
  let trailers: IncomingHttpHeaders | undefined;
  let httpStatus: number | undefined;
  stream.once('response', (headers) => {
    httpStatus = headers[':status'];
    // An answer that is a status only has it here.
    if (headers['grpc-status'] === undefined) call.onMetadata(headers);
    else trailers = headers;
  });
  stream.once('trailers', (headers: IncomingHttpHeaders) => (trailers = headers));
  stream.end(frame(call.message));
  const splitter = new MessageSplitter();
  for await (const chunk of stream) for (const message of splitter.push(chunk as Buffer)) await call.onMessage(message);
  if (trailers === undefined)
    throw new Error(
      httpStatus === undefined || httpStatus === 200 ? 'it ended without a status' : `HTTP status ${httpStatus}`,
    );
  const error = statusErrorOf(trailers);
  if (error !== undefined) throw error;
  return trailers;
}

function notAnswering(daemon: string): DfpeerError {
  return new DfpeerError(
    'DFP_DAEMON_UNREACHABLE',
    `${daemon} does not answer: it was stopped, or hangs; dfdaemon doctor says which process it is. End it, and run this again to go on`,
  );
}

/** Length-prefixed, not compressed. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** At most what the other side can wait for; whoever wants longer does not mind. */
export function grpcTimeout(ms: number): string {
  if (ms <= MAX_TIMEOUT_DIGITS) return `${Math.ceil(ms)}m`;
  return `${Math.min(Math.ceil(ms / 1000), Math.floor(LONGEST_TIMER_MS / 1000))}S`;
}
