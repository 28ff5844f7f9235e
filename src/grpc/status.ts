import { Metadata, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import {
  DfpeerError,
  isErrorCode,
  OriginError,
  toDfpeerError,
  type ErrorCode,
  type ErrorKind,
} from '../core/errors.js';
import { ERROR_CODE_KEY } from './metadata-keys.js';
import { attachOriginDetails, readOriginDetails } from './origin-details.js';

const STATUS_OF_KIND: Record<ErrorKind, status> = {
  usage: status.INVALID_ARGUMENT,
  origin: status.INTERNAL,
  network: status.UNAVAILABLE,
  disk: status.INTERNAL,
  digest: status.DATA_LOSS,
  'not-found': status.NOT_FOUND,
  limit: status.RESOURCE_EXHAUSTED,
  aborted: status.CANCELLED,
  internal: status.INTERNAL,
};

const STATUS_OF_CODE: Partial<Record<ErrorCode, status>> = {
  DFP_BLOCKED: status.PERMISSION_DENIED,
  DFP_OUTPUT_FORBIDDEN: status.PERMISSION_DENIED,
  DFP_UNIMPLEMENTED: status.UNIMPLEMENTED,
  DFP_SHUTTING_DOWN: status.UNAVAILABLE,
  DFP_DEADLINE: status.DEADLINE_EXCEEDED,
  // What Dragonfly's scheduler answers to a message that doesn't fit the peer's state.
  DFP_PEER_STATE: status.INTERNAL,
};

/** The one place where our errors become gRPC statuses. */
export function toGrpcError(thrown: unknown): StatusObject & Error {
  const error = toDfpeerError(thrown);
  const metadata = new Metadata();
  metadata.set(ERROR_CODE_KEY, error.code);
  if (error instanceof OriginError) attachOriginDetails(metadata, error);
  const code = STATUS_OF_CODE[error.code] ?? STATUS_OF_KIND[error.kind];
  return Object.assign(new Error(error.message), { code, details: error.message, metadata });
}

/** And back: an answer of one of ours keeps its code, anything else gets `fallback`. */
export function fromGrpcError(thrown: unknown, fallback: ErrorCode, doing: string): DfpeerError {
  if (!isServiceError(thrown)) return toDfpeerError(thrown, fallback, doing);
  const [code] = thrown.metadata?.get(ERROR_CODE_KEY) ?? [];
  if (isErrorCode(code)) return new DfpeerError(code, thrown.details, { cause: thrown });
  const origin = readOriginDetails(thrown.metadata);
  if (origin !== undefined) return origin;
  return new DfpeerError(fallback, `${doing}: ${status[thrown.code] ?? thrown.code} ${plain(thrown.details)}`, {
    cause: thrown,
  });
}

/** Without what grpc-js adds for its own debugging. */
function plain(details: string): string {
  return details.replace('Last error: Error: ', '').replace(/\.? *Resolution note: *$/, '');
}

export function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && 'details' in thrown && 'code' in thrown && typeof thrown.code === 'number';
}
