/** A call is looked at as soon as it comes; an overflow is off by days. */
const PLAUSIBLE_AGE_MS = 60_000;

/**
 * Lets a long stream live: Rust clients send a 10 s grpc-timeout that their own servers apply until the response headers only
 * (docs/WIRE.md 2.2), while grpc-js would cut the whole stream. Our own bounds take its place.
 * `call` must be grpc-js's own, not one that an interceptor has wrapped.
 */
export function ignoreDeadline(call: object): void {
  const timer: unknown = 'deadlineTimer' in call ? call.deadlineTimer : undefined;
  if (isTimer(timer)) clearTimeout(timer);
}

/**
 * Whether a client has asked for more than the 24.8 days that a timer can wait: grpc-js counts them in 32 bits, comes to a time long ago, and
 * would end the call at once. `call` as above.
 */
export function hasOverflownDeadline(call: object): boolean {
  const deadline: unknown = 'deadline' in call ? call.deadline : undefined;
  return typeof deadline === 'number' && deadline < Date.now() - PLAUSIBLE_AGE_MS;
}

function isTimer(value: unknown): value is NodeJS.Timeout {
  return typeof value === 'object' && value !== null && 'refresh' in value;
}
