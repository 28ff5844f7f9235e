import type { IncomingHttpHeaders } from 'node:http2';
import { decodePercent } from '../../core/decode-percent.js';
import { DfpeerError, isErrorCode } from '../../core/errors.js';
import { ERROR_CODE_KEY } from '../../grpc/metadata-keys.js';
import { parseOriginAnswer } from '../../grpc/origin-answer.js';
import { DETAILS_HEADER } from '../../grpc/origin-details.js';

/** By number (github.com/grpc/grpc, statuscodes). */
const STATUS_NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

/** A call that ended with a status other than OK, and no code of ours with it. */
export class GrpcStatusError extends Error {
  readonly status: (typeof STATUS_NAMES)[number] | undefined;

  constructor(code: number, details: string) {
    const status = STATUS_NAMES[code];
    super(`${status ?? code} ${details}`.trim());
    this.name = 'GrpcStatusError';
    this.status = status;
  }
}

/** What a call's trailers say went wrong; undefined when nothing did. One of ours keeps its code, Dragonfly's its origin's answer. */
export function statusErrorOf(trailers: IncomingHttpHeaders): DfpeerError | GrpcStatusError | undefined {
  const status = Number(trailers['grpc-status']);
  if (status === 0) return undefined;
  const details = decodePercent(String(trailers['grpc-message'] ?? ''));
  const code = trailers[ERROR_CODE_KEY];
  if (isErrorCode(code)) return new DfpeerError(code, details);
  const json = trailers[DETAILS_HEADER];
  const origin = typeof json === 'string' ? parseOriginAnswer(Buffer.from(json, 'base64').toString()) : undefined;
  return origin ?? new GrpcStatusError(status, details);
}
