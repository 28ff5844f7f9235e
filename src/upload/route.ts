/** How the bytes of an upload travel. */
export type Route =
  | 'sendfile' // page cache → socket in the kernel, as fast as it goes
  | 'copy' // read into our memory, write to the socket, byte for byte within the leases
  | 'paced'; // leases of the limiter spent on sendfile calls

/** Why sendfile can't be used on this machine at all. */
export type EngineUnavailableReason = 'not-linux' | 'koffi-missing';

/** Why one transfer can't, or can no longer, use the engine. */
export type TransferFallbackReason = 'unsupported-file' | 'engine-failed';

/** A closed union: the label `reason` of the upload metrics. */
export type RouteReason =
  'unthrottled' | 'limited' | 'tls' | 'unsupported-socket' | EngineUnavailableReason | TransferFallbackReason;

/** The configuration key `upload.limitedRoute`: what serves an upload while a limit is in force. */
export type LimitedRoute = Extract<Route, 'copy' | 'paced'>;

export type SocketKind = 'tcp' | 'unix' | 'tls' | 'other';

export interface RouteInputs {
  /** Bytes per second that bind this transfer; undefined: none. */
  limitBytesPerSecond: number | undefined;
  /** Speed of the interface it leaves by, in bytes per second; undefined: not known. */
  interfaceBytesPerSecond: number | undefined;
  engine: { available: true } | { available: false; reason: EngineUnavailableReason };
  socket: SocketKind;
  /** Set once the engine has given up on this transfer. */
  fallback: TransferFallbackReason | undefined;
  limitedRoute: LimitedRoute;
}

export interface RouteChoice {
  route: Route;
  reason: RouteReason;
  /** Every byte needs a lease of the limiter. */
  limited: boolean;
}

/** A limit that the interface can't exceed anyway is none: Dragonfly's default of 50 GB/s is such a one. */
export function effectiveLimit(
  limitBytesPerSecond: number | undefined,
  interfaceBytesPerSecond: number | undefined,
): number | undefined {
  if (limitBytesPerSecond === undefined || interfaceBytesPerSecond === undefined) return limitBytesPerSecond;
  return limitBytesPerSecond >= interfaceBytesPerSecond ? undefined : limitBytesPerSecond;
}

/** The one place that decides how bytes travel. An obstacle is the reason only where the engine was wanted. */
export function chooseRoute(inputs: RouteInputs): RouteChoice {
  const limited = effectiveLimit(inputs.limitBytesPerSecond, inputs.interfaceBytesPerSecond) !== undefined;
  if (limited && inputs.limitedRoute === 'copy') return { route: 'copy', reason: 'limited', limited };
  const obstacle = engineObstacle(inputs);
  if (obstacle !== undefined) return { route: 'copy', reason: obstacle, limited };
  return limited
    ? { route: 'paced', reason: 'limited', limited }
    : { route: 'sendfile', reason: 'unthrottled', limited };
}

function engineObstacle(inputs: RouteInputs): RouteReason | undefined {
  if (!inputs.engine.available) return inputs.engine.reason;
  if (inputs.socket === 'tls') return 'tls';
  if (inputs.socket === 'other') return 'unsupported-socket';
  return inputs.fallback;
}
