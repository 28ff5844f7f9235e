import { type Server, type Socket, createServer } from 'node:net';
import { type Clock, systemClock } from '../../core/clock.js';

/** What a client speaks on a port shared by gRPC and vortex. */
export type SharedPortProtocol = 'http2' | 'vortex' | 'unknown';

/** Both protocols are told apart by their second byte. */
export const SNIFFED_BYTES = 2;
export const DEFAULT_SNIFF_TIMEOUT_MS = 10_000;

/** HTTP/2 starts with "PRI", TLS with a handshake record of version 3, vortex with any byte and a request's tag. */
export function sniffProtocol(firstBytes: Uint8Array): SharedPortProtocol {
  const [first, second] = firstBytes;
  if (first === 0x50 && second === 0x52) return 'http2';
  if (first === 0x16 && second === 0x03) return 'http2';
  return second === 0 || second === 2 || second === 4 ? 'vortex' : 'unknown';
}

export interface SharedPortOptions {
  /** Plain or TLS connection of an HTTP/2 client: for grpc-js's `createConnectionInjector(…).injectConnection`. */
  onHttp2: (socket: Socket) => void;
  /** For `VortexServer.handle` or `UploadService.handleVortex`. */
  onVortex: (socket: Socket, firstBytes: Buffer) => void;
  /** Connections of both kinds at once. */
  maxConnections: number;
  sniffTimeoutMs?: number;
  clock?: Clock;
}

/**
 * A listener for the gRPC port that takes vortex as well: children configured for QUIC, or that weren't told our vortex
 * port, ask for pieces there (docs/WIRE.md 2.4). Not listening yet.
 */
export function createSharedPortServer(options: SharedPortOptions): Server {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => sniff(socket, options));
  server.maxConnections = options.maxConnections;
  return server;
}

function sniff(socket: Socket, options: SharedPortOptions): void {
  const { clock = systemClock, sniffTimeoutMs = DEFAULT_SNIFF_TIMEOUT_MS } = options;
  let seen: Buffer = Buffer.alloc(0);
  const giveUp = (): void => void socket.destroy();
  const cancel = clock.after(sniffTimeoutMs, giveUp);
  const leave = (): void => {
    cancel();
    socket.off('data', onData).off('end', giveUp).off('error', giveUp).off('close', cancel);
  };
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    if (seen.length < SNIFFED_BYTES) return;
    leave();
    socket.pause();
    handOver(socket, seen, options);
  };
  socket.on('data', onData).once('end', giveUp).on('error', giveUp).once('close', cancel);
}

function handOver(socket: Socket, seen: Buffer, options: SharedPortOptions): void {
  switch (sniffProtocol(seen)) {
    case 'vortex':
      return options.onVortex(socket, seen);
    case 'http2':
      // grpc-js counts on its sockets closing when the client does.
      socket.allowHalfOpen = false;
      socket.unshift(seen);
      return options.onHttp2(socket);
    case 'unknown':
      socket.on('error', () => undefined);
      socket.destroy();
  }
}
