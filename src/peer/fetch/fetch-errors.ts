import { codeOf, DfpeerError, OriginError } from '../../core/errors.js';

/** A parent that answered, but not with the piece. */
export class ParentRefusedError extends DfpeerError {
  /** HTTP status, or the vortex error code; which of them, the message says. */
  readonly status: number;
  /** What the parent asked us to wait before we come back; undefined when it did not say. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, answer: { status: number; retryAfterMs?: number | undefined }, options?: ErrorOptions) {
    super('DFP_PARENT_REFUSED', message, options);
    this.status = answer.status;
    this.retryAfterMs = answer.retryAfterMs;
  }
}

/** Statuses that speak of the moment, not of the request (RFC 9110, 15; RFC 6585, 4). */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Codes of Node's and OpenSSL's for a certificate, and of ours for a proxy's user, that will be just as bad next time. */
const LASTING_CAUSE =
  /^(ERR_TLS_|ERR_PROXY_CREDENTIALS$|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/;

/** Whether the same request to the same parent or origin may well succeed a little later. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof ParentRefusedError) return error.retryAfterMs !== undefined || error.status === 503;
  if (!(error instanceof DfpeerError)) return false;
  switch (error.code) {
    case 'DFP_ORIGIN_STATUS':
      return error instanceof OriginError && error.status !== undefined && PASSING_STATUSES.has(error.status);
    case 'DFP_ORIGIN_UNREACHABLE':
      return !LASTING_CAUSE.test(codeOf(error.cause) ?? '');
    case 'DFP_ORIGIN_LENGTH':
    case 'DFP_PARENT_UNREACHABLE':
    case 'DFP_STALLED':
    case 'DFP_DEADLINE':
      return true;
    default:
      return false;
  }
}

/** What a server says that bounds how much its clients ask at once. */
export function isTurnedAway(status: number | undefined): boolean {
  return status === 429 || status === 503;
}

/** What a refusing parent or origin asked us to wait, if it did. */
export function retryAfterMsOf(error: unknown, nowMs: number): number | undefined {
  if (error instanceof ParentRefusedError) return error.retryAfterMs;
  return error instanceof OriginError ? parseRetryAfterMs(error.headers['retry-after'], nowMs) : undefined;
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); undefined when absent or malformed. */
export function parseRetryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
