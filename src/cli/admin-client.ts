import { credentials } from '@grpc/grpc-js';
import { DfpeerError, hasCode } from '../core/errors.js';
import { WITHIN_CLUSTER } from '../grpc/channel-options.js';
import { DfpeerAdmin } from '../grpc/protos.js';
import { callUnary, type UnaryMethod } from '../grpc/unary-call.js';

/** A daemon on this host answers at once, or not at all. */
export const ADMIN_TIMEOUT_MS = 10_000;

/** One call of dfpeer.v1.DfpeerAdmin. @throws DfpeerError DFP_DAEMON_UNREACHABLE, DFP_DEADLINE, or the daemon's own */
export async function callAdmin<Request, Response>(
  socketPath: string,
  method: UnaryMethod<Request, Response>,
  request: Request,
): Promise<Response> {
  const client = new DfpeerAdmin(`unix:${socketPath}`, credentials.createInsecure(), {
    ...WITHIN_CLUSTER,
    'grpc.max_receive_message_length': -1,
  });
  const unreachable = 'DFP_DAEMON_UNREACHABLE';
  try {
    const callee = { client, name: `the daemon on ${socketPath}`, unreachable, refused: 'DFP_UNIMPLEMENTED' } as const;
    return await callUnary(callee, method, request, { timeoutMs: ADMIN_TIMEOUT_MS });
  } catch (error) {
    if (!hasCode(error, unreachable)) throw error;
    throw new DfpeerError(
      unreachable,
      `no daemon answers on ${socketPath}; start one with dfdaemon, or name its socket with --endpoint`,
      { cause: error },
    );
  } finally {
    client.close();
  }
}

export const ADMIN = DfpeerAdmin.service;

/** A message without the names that the decoder adds for fields that may be absent. */
export function plainMessage(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainMessage);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => !name.startsWith('_'));
  return Object.fromEntries(entries.map(([name, inner]) => [name, plainMessage(inner)]));
}
