import { AbortedError, codeOf, DeadlineError, DfpeerError, type ErrorCode, OriginError } from '../../core/errors.js';
import { ParentRefusedError } from './fetch-errors.js';

/** An error as it crosses from a thread to another: structured cloning would lose its class and fields. */
export interface ErrorMessage {
  code: ErrorCode;
  message: string;
  origin?: { status: number | undefined; headers: Readonly<Record<string, string>> };
  refusal?: { status: number; retryAfterMs: number | undefined };
  deadline?: { waitedFor: string; timeoutMs: number };
  cause?: { message: string; code: string | undefined };
}

export function packError(error: DfpeerError): ErrorMessage {
  const packed: ErrorMessage = { code: error.code, message: error.message };
  if (error instanceof OriginError) packed.origin = { status: error.status, headers: error.headers };
  if (error instanceof ParentRefusedError) packed.refusal = { status: error.status, retryAfterMs: error.retryAfterMs };
  if (error instanceof DeadlineError) packed.deadline = { waitedFor: error.waitedFor, timeoutMs: error.timeoutMs };
  if (error.cause instanceof Error) packed.cause = { message: error.cause.message, code: codeOf(error.cause) };
  return packed;
}

export function unpackError(packed: ErrorMessage): DfpeerError {
  const { code, message, origin, refusal, deadline } = packed;
  const options = packed.cause === undefined ? {} : { cause: unpackCause(packed.cause) };
  if (origin !== undefined && isOriginCode(code)) return new OriginError(code, message, answerOf(origin), options);
  if (refusal !== undefined) return new ParentRefusedError(message, refusal, options);
  if (deadline !== undefined) return new DeadlineError(deadline.waitedFor, deadline.timeoutMs);
  if (code === 'DFP_ABORTED') return new AbortedError(message.replace(/ was aborted$/, ''), options);
  return new DfpeerError(code, message, options);
}

function answerOf(origin: NonNullable<ErrorMessage['origin']>): {
  status?: number;
  headers: Readonly<Record<string, string>>;
} {
  const { status, headers } = origin;
  return status === undefined ? { headers } : { status, headers };
}

function unpackCause(packed: NonNullable<ErrorMessage['cause']>): Error {
  const cause = new Error(packed.message);
  return packed.code === undefined ? cause : Object.assign(cause, { code: packed.code });
}

function isOriginCode(code: ErrorCode): code is Extract<ErrorCode, `DFP_ORIGIN_${string}`> {
  return code.startsWith('DFP_ORIGIN_');
}
