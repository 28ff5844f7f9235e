import type { Socket } from 'node:net';
import {
  ServerInterceptingCall,
  ServerListenerBuilder,
  type Metadata,
  type ServerInterceptingCallInterface,
} from '@grpc/grpc-js';
import { http2StreamOf } from './http2-stream.js';
import { CALLER_KEY } from './metadata-keys.js';

/** Whose process is at the other end of a unix socket, as the kernel knew it when it connected. */
export interface Caller {
  uid: number;
  gid: number;
}

const CALLER = Symbol('caller');

/** Notes on a connection who made it, before it is served. */
export function rememberCaller(socket: Socket, caller: Caller | undefined): void {
  Object.defineProperty(socket, CALLER, { value: caller });
}

/** Hands the connection's caller to a call's handler, for {@link readCaller}. `bare` is the call as grpc-js made it. */
export function tellCaller(call: ServerInterceptingCallInterface, bare: object): ServerInterceptingCall {
  const caller = callerOf(bare);
  const listener = new ServerListenerBuilder()
    .withOnReceiveMetadata((metadata, next) => {
      metadata.remove(CALLER_KEY);
      if (caller !== undefined) metadata.set(CALLER_KEY, `${caller.uid}:${caller.gid}`);
      next(metadata);
    })
    .build();
  return new ServerInterceptingCall(call, { start: (next) => next(listener) });
}

/** Who makes this call; undefined over TCP, and where the system does not tell. */
export function readCaller(metadata: Metadata): Caller | undefined {
  const [text] = metadata.get(CALLER_KEY);
  const match = /^(\d+):(\d+)$/.exec(String(text));
  return match === null ? undefined : { uid: Number(match[1]), gid: Number(match[2]) };
}

function callerOf(call: object): Caller | undefined {
  const session = http2StreamOf(call)?.session;
  // A session that has just ended has no socket any more, and says so by throwing.
  if (session === undefined || session.destroyed) return undefined;
  // The session's view of its socket passes properties through.
  const caller: unknown = Reflect.get(session.socket, CALLER);
  return isCaller(caller) ? caller : undefined;
}

function isCaller(value: unknown): value is Caller {
  return typeof value === 'object' && value !== null && 'uid' in value && 'gid' in value;
}
