import type { DfpeerError, ErrorKind } from '../core/errors.js';

/** What a script can tell from the exit status; documented in the README and in dfget's help. */
export const EXIT_CODES = {
  ok: 0,
  internal: 1,
  usage: 2,
  origin: 3,
  network: 4,
  disk: 5,
  digest: 6,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

const EXIT_CODE_OF_KIND: Record<ErrorKind, number> = {
  usage: EXIT_CODES.usage,
  origin: EXIT_CODES.origin,
  network: EXIT_CODES.network,
  disk: EXIT_CODES.disk,
  digest: EXIT_CODES.digest,
  'not-found': EXIT_CODES.network,
  limit: EXIT_CODES.network,
  aborted: EXIT_CODES.network,
  internal: EXIT_CODES.internal,
};

export function exitCodeOf(error: DfpeerError): number {
  return EXIT_CODE_OF_KIND[error.kind];
}
