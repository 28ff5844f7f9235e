import { constants, type ServerHttp2Stream } from 'node:http2';
import { ResponderBuilder, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { http2StreamOf } from './http2-stream.js';

/** No event tells when trailers have left; a socket that is full delays them, for as long as the client reads nothing. */
const FIRST_RECHECK_MS = 5;
const MAX_RECHECK_MS = 1000;

/**
 * Ends both halves of a streaming call once its status is sent: trailers, then RST_STREAM(NO_ERROR) when the client's half
 * is still open (RFC 9113, 8.1). grpc-go does so, grpc-js alone doesn't, and Rust clients wait for it without a timeout.
 * Must be the first interceptor: it needs the bare call.
 */
export const closeHalfOpenStreams: ServerInterceptor = (method, call) => {
  const stream = http2StreamOf(call);
  if (!method.requestStream || stream === undefined) return new ServerInterceptingCall(call);
  const closeSoon = (): void => void setImmediate(closeOnceSent, stream);
  stream.once('wantTrailers', closeSoon);
  const responder = new ResponderBuilder()
    .withSendStatus((status, next) => {
      // A status without any message travels in the headers alone, and nobody asks for trailers.
      const headersOnly = !stream.headersSent;
      next(status);
      if (headersOnly) closeSoon();
    })
    .build();
  return new ServerInterceptingCall(call, responder);
};

/** A reset overtakes whatever of the stream is still queued, so it has to wait until the last frame is written. */
function closeOnceSent(stream: ServerHttp2Stream, recheckMs = FIRST_RECHECK_MS): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.state.localClose === 1) stream.close(constants.NGHTTP2_NO_ERROR);
  else setTimeout(closeOnceSent, recheckMs, stream, Math.min(recheckMs * 2, MAX_RECHECK_MS)).unref();
}
