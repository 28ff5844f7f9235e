import { constants, type ServerHttp2Stream } from 'node:http2';
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import {
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { atMostEvery, type Clock, LONGEST_TIMER_MS, systemClock } from '../core/clock.js';
import { ConnectionCaps } from '../core/connection-caps.js';
import { formatHostPort } from '../core/host-port.js';
import { listen } from '../core/listen.js';
import type { Logger } from '../core/logger.js';
import { rememberCaller, tellCaller, type Caller } from './caller.js';
import { closeHalfOpenStreams } from './half-open-streams.js';
import { http2StreamOf } from './http2-stream.js';
import { hasOverflownDeadline, ignoreDeadline } from './ignore-deadline.js';
import { boundRequests } from './message-fields.js';
import { peerIp } from './peer-ip.js';
import { reflectedDefinition } from './protos.js';
import { RequestGate, refuseBeyond } from './request-gate.js';
import { UnfinishedRequests } from './unfinished-requests.js';

export interface GrpcServerLimits {
  /** New calls and streams a second; beyond it RESOURCE_EXHAUSTED. */
  requestsPerSecond: number;
  /** Connections at once; beyond it new ones are closed unanswered. */
  maxConnections: number;
  /** The same for one IP; connections of a unix socket have none and only the total. */
  maxConnectionsPerIp: number;
  maxStreamsPerConnection: number;
  /** Calls at once; beyond it new ones are ended with RESOURCE_EXHAUSTED. */
  maxCalls: number;
  /** The same for one IP. */
  maxCallsPerIp: number;
  maxMessageBytes: number;
  /** A connection without a call for this long is closed; clients reconnect when they need to. */
  connectionIdleMs: number;
  /** A silent connection is pinged this often, and dropped when the answer takes longer than keepaliveTimeoutMs; not one of a unix socket. */
  keepaliveMs: number;
  keepaliveTimeoutMs: number;
}

export const DEFAULT_GRPC_SERVER_LIMITS: Readonly<GrpcServerLimits> = {
  requestsPerSecond: 4000,
  maxConnections: 1024,
  maxConnectionsPerIp: 512,
  maxStreamsPerConnection: 1024,
  maxCalls: 16_384,
  maxCallsPerIp: 4096,
  maxMessageBytes: 4 * 1024 * 1024,
  connectionIdleMs: 600_000,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 10_000,
};

const WARNING_INTERVAL_MS = 60_000;

export interface GrpcService {
  /** Fully qualified: `scheduler.v2.Scheduler`. Health and reflection answer for it. */
  name: string;
  definition: ServiceDefinition;
  implementation: UntypedServiceImplementation;
}

export interface GrpcServerOptions {
  listen: { ip: string; port: number } | { socketPath: string };
  services: readonly GrpcService[];
  limits?: Partial<GrpcServerLimits>;
  logger: Logger;
  clock?: Clock;
  /** Full paths of streams that outlive the caller's grpc-timeout. */
  longStreams?: ReadonlySet<string>;
  /** Default: plain text. */
  credentials?: ServerCredentials;
  /** Makes the listener, for ports that speak more than gRPC; it must hand HTTP/2 connections to `onHttp2`. */
  createListener?: (onHttp2: (socket: Socket) => void, maxConnections: number) => NetServer;
  /** Who made a connection to a unix socket; asked once, before it is served. Undefined: nobody can tell. */
  identifyCaller?: (socket: Socket) => Caller | undefined;
  /** Told about every call that the rate limit refused. */
  onRefused?: () => void;
}

/** A listening gRPC server (h2c) with health and reflection. */
export interface GrpcServer {
  /** `ip:port`, or the socket's path. */
  readonly address: string;
  /** 0 for a socket path. */
  readonly port: number;
  /** What Health/Check answers, for "" and for every service (docs/WIRE.md 2.1). */
  setServing(serving: boolean): void;
  /** No new calls; running ones get `graceMs`, then their connections are destroyed. Idempotent. */
  stop(graceMs: number): Promise<void>;
}

/** @throws DfpeerError DFP_LISTEN when the address can't be bound. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const limits = limitsOf(options);
  const clock = options.clock ?? systemClock;
  const health = new HealthImplementation();
  const grpc = createGrpc(options, limits, health);
  const injector = grpc.createConnectionInjector(options.credentials ?? ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const injectConnection = (socket: Socket): void => {
    if (options.identifyCaller !== undefined) rememberCaller(socket, options.identifyCaller(socket));
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  };
  const createListener = options.createListener ?? ((onHttp2) => createServer({ noDelay: true }, onHttp2));
  const listener = createListener(injectConnection, limits.maxConnections);
  capConnections(listener, options, limits);
  await bind(listener, options);

  const setServing = (serving: boolean): void => {
    for (const name of ['', ...options.services.map((service) => service.name)])
      health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  };
  setServing(true);
  let stopping: Promise<void> | undefined;
  const bound = listener.address();
  return {
    address: describeAddress(bound),
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    setServing,
    stop(graceMs) {
      setServing(false);
      stopping ??= stop({ grpc, listener, sockets, clock, graceMs });
      return stopping;
    },
  };
}

/**
 * Callers of a unix socket have no IP: they share what all may have. When one has gone the kernel says so; one that is stopped, as by Ctrl-Z,
 * answers no ping, and goes on later.
 */
function limitsOf({ listen, limits: given }: GrpcServerOptions): GrpcServerLimits {
  const limits = { ...DEFAULT_GRPC_SERVER_LIMITS, ...given };
  if (!('socketPath' in listen)) return limits;
  return {
    ...limits,
    maxConnectionsPerIp: limits.maxConnections,
    maxCallsPerIp: limits.maxCalls,
    keepaliveMs: LONGEST_TIMER_MS,
  };
}

function capConnections(
  listener: NetServer,
  { logger, clock = systemClock }: GrpcServerOptions,
  { maxConnections, maxConnectionsPerIp: maxPerIp }: GrpcServerLimits,
): void {
  const caps = new ConnectionCaps({ max: maxConnections, maxPerIp });
  const warn = atMostEvery(clock, WARNING_INTERVAL_MS, () =>
    logger.warn({ maxConnections, maxPerIp }, 'gRPC connections are refused'),
  );
  listener.maxConnections = maxConnections;
  listener.on('drop', warn);
  listener.on('connection', (socket: Socket) => {
    if (caps.accept(socket)) return;
    warn();
    socket.destroy();
  });
}

function createGrpc(options: GrpcServerOptions, limits: GrpcServerLimits, health: HealthImplementation): Server {
  const gate = new RequestGate(limits.requestsPerSecond, options.clock);
  const { maxCalls, maxCallsPerIp } = limits;
  const caps = new ConnectionCaps({ max: maxCalls, maxPerIp: maxCallsPerIp });
  const unfinished = new UnfinishedRequests(options.clock ?? systemClock);
  const onBareCall: ServerInterceptor = (method, call) => {
    const stream = http2StreamOf(call);
    if (stream !== undefined) {
      if (!caps.acceptFrom(peerIp(call.getPeer()), stream)) return endCall(call, stream);
      unfinished.watch(stream, { isStreaming: method.requestStream });
    }
    if (options.longStreams?.has(method.path) === true || hasOverflownDeadline(call)) ignoreDeadline(call);
    return tellCaller(closeHalfOpenStreams(method, call), call);
  };
  const grpc = new Server({
    'grpc.max_receive_message_length': limits.maxMessageBytes,
    'grpc.max_concurrent_streams': limits.maxStreamsPerConnection,
    'grpc.max_connection_idle_ms': limits.connectionIdleMs,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    interceptors: [onBareCall, refuseBeyond(gate, options.onRefused)],
  });
  for (const { definition, implementation } of options.services)
    grpc.addService(boundRequests(definition), implementation);
  health.addToServer(grpc);
  new ReflectionService(reflectedDefinition, { services: options.services.map(({ name }) => name) }).addToServer(grpc);
  return grpc;
}

/** At once, whatever the client still has to send: it takes this for RESOURCE_EXHAUSTED. */
function endCall(call: ServerInterceptingCallInterface, stream: ServerHttp2Stream): ServerInterceptingCall {
  return new ServerInterceptingCall(call, { start: () => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM) });
}

async function bind(listener: NetServer, { listen: where, logger, clock }: GrpcServerOptions): Promise<void> {
  // Between bind() and a later chmod a socket would be open to others; both happen within this call.
  const mask = 'socketPath' in where ? process.umask(0o177) : undefined;
  const listening = listen(listener, where, { logger, clock });
  if (mask !== undefined) process.umask(mask);
  await listening;
}

function describeAddress(bound: AddressInfo | string | null): string {
  if (bound === null || typeof bound === 'string') return bound ?? '';
  return formatHostPort(bound.address, bound.port);
}

interface Running {
  grpc: Server;
  listener: NetServer;
  sockets: Set<Socket>;
  clock: Clock;
  graceMs: number;
}

async function stop({ grpc, listener, sockets, clock, graceMs }: Running): Promise<void> {
  const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
  // Since Node 24 this calls back at once: it takes sessions that are still closing for closed.
  grpc.tryShutdown(() => undefined);
  await allClosed(sockets, clock, graceMs);
  grpc.forceShutdown();
  for (const socket of sockets) socket.destroy();
  await closed;
}

/** Resolves when none of `sockets` is left, or after `timeoutMs`. */
async function allClosed(sockets: ReadonlySet<Socket>, clock: Clock, timeoutMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancelTimer = clock.after(timeoutMs, resolve);
    const check = (): void => {
      if (sockets.size > 0) return;
      cancelTimer();
      resolve();
    };
    for (const socket of sockets) socket.once('close', check);
    check();
  });
}
