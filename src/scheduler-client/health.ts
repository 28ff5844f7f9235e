import { service as healthService } from 'grpc-health-check';
import { DfpeerError } from '../core/errors.js';
import { callUnary, type Callee, type UnaryMethod } from '../grpc/unary-call.js';

const check = healthService.Check as unknown as UnaryMethod<{ service: string }, { status?: unknown }>;

export const HEALTH_CHECK_TIMEOUT_MS = 5000;

/** Asks grpc.health.v1 for the server as a whole; rejects unless it answers SERVING in time. */
export async function checkHealth(callee: Callee, signal: AbortSignal): Promise<void> {
  const answer = await callUnary(callee, check, { service: '' }, { timeoutMs: HEALTH_CHECK_TIMEOUT_MS, signal });
  if (answer.status === 'SERVING') return;
  throw new DfpeerError(
    callee.unreachable,
    `${callee.name} is up but says ${String(answer.status)} instead of SERVING`,
  );
}
