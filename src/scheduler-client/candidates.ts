import { isIP } from 'node:net';
import { DfpeerError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { fromWireLength } from '../grpc/wire.js';
import type { IncomingCandidate, IncomingMessage } from './announce-codec.js';
import type { CandidateParent, ScheduleDecision } from './scheduler-client.js';

/** A scheduler offers 3 by default; more than this in one answer are ignored. */
export const MAX_CANDIDATE_PARENTS = 64;

export interface DecodedDecision {
  decision: ScheduleDecision;
  /** Offered, but nothing to dial: to be blocked with the next reschedule, so that others are offered. */
  unusable: readonly Uint8Array[];
}

/** What a scheduler answered, in the core's words. Candidates that can't be dialled are skipped, not fatal. */
export function decodeDecision(
  { message, candidates }: IncomingMessage,
  options: { ownHostId: string; scheduler: string; logger: Logger },
): DecodedDecision {
  switch (message.response) {
    case 'emptyTaskResponse':
      return { decision: { kind: 'empty' }, unusable: [] };
    case 'metadataOnlyResponse':
      return { decision: { kind: 'metadata-only' }, unusable: [] };
    case 'needBackToSourceResponse':
      return {
        decision: { kind: 'back-to-source', description: message.needBackToSourceResponse?.description ?? '' },
        unusable: [],
      };
    case 'normalTaskResponse':
      return decodeCandidates(candidates, options.ownHostId, options.logger);
    default:
      throw new DfpeerError(
        'DFP_SCHEDULER_REFUSED',
        `scheduler ${options.scheduler} gave an answer this version does not know; it may be newer than Dragonfly 2.5`,
      );
  }
}

function decodeCandidates(
  candidates: readonly IncomingCandidate[],
  ownHostId: string,
  logger: Logger,
): DecodedDecision {
  const parents = new Map<string, CandidateParent>();
  const unusable: Uint8Array[] = [];
  for (const candidate of candidates.slice(0, MAX_CANDIDATE_PARENTS)) {
    const problem = whyUnusable(candidate, ownHostId);
    if (problem === undefined) parents.set(candidate.peer.id, toCandidateParent(candidate));
    else {
      logger.debug({ peerId: candidate.peer.id, problem }, 'skipped a candidate parent');
      unusable.push(candidate.bytes);
    }
  }
  return { decision: { kind: 'parents', parents: [...parents.values()] }, unusable };
}

function whyUnusable({ peer }: IncomingCandidate, ownHostId: string): string | undefined {
  const host = peer.host ?? undefined;
  if (peer.id === '') return 'no peer id';
  if (host === undefined || host.id === '') return 'no host';
  if (host.id === ownHostId) return 'it is this host';
  if (isIP(host.ip) === 0) return 'its address is not an IP address';
  if (host.port < 1 || host.port > 65535) return 'its port is out of range';
  return undefined;
}

function toCandidateParent({ peer, bytes }: IncomingCandidate): CandidateParent {
  const { host } = peer;
  const idc = host?.network?.idc;
  return {
    peerId: peer.id,
    hostId: host?.id ?? '',
    hostname: host?.hostname ?? '',
    ip: host?.ip ?? '',
    port: host?.port ?? 0,
    isSeed: host?.type !== 0,
    state: peer.state,
    idc: idc === '' ? undefined : idc,
    maxTxBitsPerSecond: fromWireLength(host?.network?.maxTxBandwidth) ?? 0,
    txBitsPerSecond: fromWireLength(host?.network?.txBandwidth) ?? 0,
    wire: bytes,
  };
}
