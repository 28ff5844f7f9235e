import type { ServerHttp2Stream } from 'node:http2';

/** The HTTP/2 stream under a bare call (one that no interceptor has wrapped); undefined should grpc-js ever rename it. */
export function http2StreamOf(call: object): ServerHttp2Stream | undefined {
  const stream: unknown = 'stream' in call ? call.stream : undefined;
  return isHttp2Stream(stream) ? stream : undefined;
}

function isHttp2Stream(value: unknown): value is ServerHttp2Stream {
  return typeof value === 'object' && value !== null && 'sendTrailers' in value && 'close' in value;
}
