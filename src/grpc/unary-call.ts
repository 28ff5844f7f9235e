import { Metadata, status, type Client } from '@grpc/grpc-js';
import { abortReason } from '../core/deadline.js';
import { DeadlineError, type DfpeerError, type ErrorCode } from '../core/errors.js';
import { fromGrpcError, isServiceError } from './status.js';

/** What a call needs of a generated method definition. */
export interface UnaryMethod<Request, Response> {
  path: string;
  requestSerialize: (value: Request) => Buffer;
  responseDeserialize: (bytes: Buffer) => Response;
}

/** Who is called, and which codes its failures get. */
export interface Callee {
  client: Client;
  /** As the user should read it: "scheduler 10.0.0.1:8002". */
  name: string;
  unreachable: ErrorCode;
  refused: ErrorCode;
}

/** One unary call with a deadline. Rejects with the callee's codes, DFP_DEADLINE, or the signal's reason. */
export async function callUnary<Request, Response>(
  callee: Callee,
  method: UnaryMethod<Request, Response>,
  request: Request,
  options: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<Response> {
  const { timeoutMs, signal } = options;
  const doing = `${method.path.split('/').at(-1) ?? method.path} to ${callee.name}`;
  if (signal?.aborted === true) throw abortReason(signal, doing);
  let cancel: () => void = () => undefined;
  try {
    return await new Promise<Response>((resolve, reject) => {
      const call = callee.client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          if (error !== null) reject(callError(error, callee, doing, timeoutMs));
          else if (response === undefined) reject(new DeadlineError(doing, timeoutMs));
          else resolve(response);
        },
      );
      cancel = () => {
        call.cancel();
        reject(abortReason(signal, doing));
      };
      signal?.addEventListener('abort', cancel, { once: true });
    });
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

/** The status in our words; NOT_FOUND and the like keep the ServiceError as cause. */
export function callError(
  error: unknown,
  callee: Pick<Callee, 'unreachable' | 'refused'>,
  doing: string,
  timeoutMs?: number,
): DfpeerError {
  if (timeoutMs !== undefined && hasStatus(error, status.DEADLINE_EXCEEDED)) return new DeadlineError(doing, timeoutMs);
  const unreachable = hasStatus(error, status.UNAVAILABLE) || hasStatus(error, status.CANCELLED);
  return fromGrpcError(error, unreachable ? callee.unreachable : callee.refused, doing);
}

/** Whether the error is, or was caused by, this gRPC status. */
export function hasStatus(error: unknown, code: status): boolean {
  if (isServiceError(error)) return error.code === code;
  return error instanceof Error && error.cause !== undefined && hasStatus(error.cause, code);
}
