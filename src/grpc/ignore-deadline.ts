/**
 * Lets a long stream live: Rust clients send a 10 s grpc-timeout that their own servers apply until the response headers only
 * (docs/WIRE.md 2.2), while grpc-js would cut the whole stream. Our own bounds take its place.
 * `call` must be grpc-js's own, not one that an interceptor has wrapped.
 */
export function ignoreDeadline(call: object): void {
  const timer: unknown = 'deadlineTimer' in call ? call.deadlineTimer : undefined;
  if (isTimer(timer)) clearTimeout(timer);
}

function isTimer(value: unknown): value is NodeJS.Timeout {
  return typeof value === 'object' && value !== null && 'refresh' in value;
}
