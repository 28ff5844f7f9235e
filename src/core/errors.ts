/** What a user can do something about; decides dfget's exit code and the gRPC and HTTP status. */
export type ErrorKind =
  | 'usage' // flags, configuration, malformed requests
  | 'origin' // the origin refused, or answered wrongly
  | 'network' // a peer, scheduler or daemon could not be reached, or not in time
  | 'disk' // reading or writing files
  | 'digest' // content is not what was promised
  | 'not-found' // task, piece or host unknown
  | 'limit' // a bound of docs/LIMITS.md was reached
  | 'aborted' // somebody asked to stop
  | 'internal'; // a bug of ours

/**
 * Codes are stable: scripts and dashboards match on them. The map is the only place that ties a code to its kind;
 * docs/ERRORS.md lists it, and a test compares the two.
 */
export const ERROR_KINDS = {
  DFP_USAGE: 'usage',
  DFP_CONFIG: 'usage',
  DFP_INVALID_ARGUMENT: 'usage',
  DFP_OUTPUT_EXISTS: 'usage',
  DFP_OUTPUT_FORBIDDEN: 'usage',
  DFP_ORIGIN_STATUS: 'origin',
  DFP_ORIGIN_UNREACHABLE: 'origin',
  DFP_ORIGIN_RANGE: 'origin',
  DFP_ORIGIN_LENGTH: 'origin',
  DFP_ORIGIN_CHANGED: 'origin',
  DFP_ORIGIN_FORBIDDEN: 'origin',
  DFP_ORIGIN_REDIRECTS: 'origin',
  DFP_BACK_TO_SOURCE_DISABLED: 'origin',
  DFP_PARENT_UNREACHABLE: 'network',
  DFP_PARENT_REFUSED: 'network',
  DFP_PARENT_PROTOCOL: 'network',
  DFP_SCHEDULER_UNREACHABLE: 'network',
  DFP_SCHEDULER_REFUSED: 'network',
  DFP_MANAGER_UNREACHABLE: 'network',
  DFP_DAEMON_UNREACHABLE: 'network',
  DFP_DEADLINE: 'network',
  DFP_STALLED: 'network',
  DFP_LISTEN: 'network',
  DFP_PROGRAM_GONE: 'network',
  DFP_STORE_IO: 'disk',
  DFP_STORE_FULL: 'disk',
  DFP_STORE_LOCKED: 'disk',
  DFP_STORE_UNTRUSTED: 'disk',
  DFP_STORE_DAMAGED: 'disk',
  DFP_OUTPUT_IO: 'disk',
  DFP_HARD_LINK: 'disk',
  DFP_DIGEST_MISMATCH: 'digest',
  DFP_PIECE_DIGEST: 'digest',
  DFP_TASK_NOT_FOUND: 'not-found',
  DFP_PIECE_NOT_FOUND: 'not-found',
  DFP_HOST_NOT_FOUND: 'not-found',
  DFP_PEER_NOT_FOUND: 'not-found',
  DFP_PEER_STATE: 'usage',
  DFP_TASK_FAILED: 'internal',
  DFP_BLOCKED: 'limit',
  DFP_LIMIT: 'limit',
  DFP_SHUTTING_DOWN: 'aborted',
  DFP_ABORTED: 'aborted',
  DFP_UNIMPLEMENTED: 'usage',
  DFP_INTERNAL: 'internal',
} as const satisfies Record<`DFP_${string}`, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

/** The error of this project: `code` for machines, `message` names the thing and the remedy, `cause` keeps the origin. */
export class DfpeerError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }

  get kind(): ErrorKind {
    return ERROR_KINDS[this.code];
  }
}

/** A flag, key or message field that can't be used. */
export class UsageError extends DfpeerError {
  constructor(
    message: string,
    options?: ErrorOptions,
    code: 'DFP_USAGE' | 'DFP_INVALID_ARGUMENT' | 'DFP_OUTPUT_EXISTS' = 'DFP_USAGE',
  ) {
    super(code, message, options);
  }
}

/** The origin's refusal. `status` and `headers` are those of its answer, absent when it gave none. */
export class OriginError extends DfpeerError {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: Extract<ErrorCode, `DFP_ORIGIN_${string}`>,
    message: string,
    answer?: { status?: number; headers?: Readonly<Record<string, string>> },
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.status = answer?.status;
    this.headers = answer?.headers ?? {};
  }
}

/** A wait that took longer than its bound. `waitedFor` says for whom or what. */
export class DeadlineError extends DfpeerError {
  readonly waitedFor: string;
  readonly timeoutMs: number;

  constructor(waitedFor: string, timeoutMs: number) {
    super('DFP_DEADLINE', `no answer within ${Math.round(timeoutMs)} ms while waiting for ${waitedFor}`);
    this.waitedFor = waitedFor;
    this.timeoutMs = timeoutMs;
  }
}

/** Somebody asked to stop: a client that went away, a signal, a race that another one won. */
export class AbortedError extends DfpeerError {
  constructor(what: string, options?: ErrorOptions) {
    super('DFP_ABORTED', `${what} was aborted`, options);
  }
}

export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(ERROR_KINDS, text);
}

/** Makes one of ours of anything thrown; what is one already passes through unchanged. */
export function toDfpeerError(thrown: unknown, code: ErrorCode = 'DFP_INTERNAL', doing?: string): DfpeerError {
  if (thrown instanceof DfpeerError) return thrown;
  const text = messageOf(thrown);
  return new DfpeerError(code, doing === undefined ? text : `${doing}: ${text}`, { cause: thrown });
}

/** What it says, whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** What was thrown, for those who take nothing but errors. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** Whether it is one of our errors, with this code. */
export function hasCode(thrown: unknown, code: ErrorCode): thrown is DfpeerError {
  return thrown instanceof DfpeerError && thrown.code === code;
}

/** The code of an error, whoever made it: the system, Node, OpenSSL, a library ("ENOSPC", "CERT_HAS_EXPIRED", "LEVEL_LOCKED"). */
export function codeOf(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** The errno name ("ENOSPC") of a Node or native error, if it has one. */
export function errnoOf(thrown: unknown): string | undefined {
  const code = codeOf(thrown);
  return code !== undefined && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** No descriptor was left, for this process or for the system. */
export function isOutOfFiles(thrown: unknown): boolean {
  const errno = errnoOf(thrown instanceof DfpeerError ? thrown.cause : thrown);
  return errno === 'EMFILE' || errno === 'ENFILE';
}
