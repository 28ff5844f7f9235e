import { isIP } from 'node:net';
import { DfpeerError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { meansOneHost } from '../core/special-networks.js';
import { fromWireLength } from '../grpc/wire.js';
import type { IncomingCandidate, IncomingMessage } from './announce-codec.js';
import type { CandidateParent, ScheduleDecision } from './scheduler-client.js';

/** A scheduler offers 3 by default; more than this in one answer are ignored. */
export const MAX_CANDIDATE_PARENTS = 64;

interface DecodeOptions {
  own: { id: string; ip: string };
  scheduler: { address: string; ip: string };
  logger: Logger;
}

export interface DecodedDecision {
  decision: ScheduleDecision;
  /** Offered, but nothing to dial: to be blocked with the next reschedule, so that others are offered. */
  unusable: readonly Uint8Array[];
}

/** What a scheduler answered, in the core's words. Candidates that can't be dialled are skipped, not fatal. */
export function decodeDecision({ message, candidates }: IncomingMessage, options: DecodeOptions): DecodedDecision {
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
      return decodeCandidates(candidates, options);
    default:
      throw new DfpeerError(
        'DFP_SCHEDULER_REFUSED',
        `scheduler ${options.scheduler.address} gave an answer this version does not know; it may be newer than Dragonfly 2.5`,
      );
  }
}

function decodeCandidates(candidates: readonly IncomingCandidate[], options: DecodeOptions): DecodedDecision {
  const parents = new Map<string, CandidateParent>();
  const unusable: Uint8Array[] = [];
  for (const candidate of candidates.slice(0, MAX_CANDIDATE_PARENTS)) {
    const problem = whyUnusable(candidate, options);
    if (problem === undefined) parents.set(candidate.peer.id, toCandidateParent(candidate));
    else {
      options.logger.info(
        { parent: candidate.peer.id, ip: candidate.peer.host?.ip, problem },
        'skipped a candidate parent',
      );
      unusable.push(candidate.bytes);
    }
  }
  return { decision: { kind: 'parents', parents: [...parents.values()] }, unusable };
}

function whyUnusable({ peer }: IncomingCandidate, { own, scheduler }: DecodeOptions): string | undefined {
  const host = peer.host ?? undefined;
  if (peer.id === '') return 'no peer id';
  if (host === undefined || host.id === '') return 'no host';
  if (host.id === own.id) return 'it is this host';
  if (isIP(host.ip) === 0) return 'its address is not an IP address';
  // What is so near the scheduler is near to us only where the scheduler is.
  if (meansOneHost(host.ip) && !meansOneHost(scheduler.ip) && scheduler.ip !== own.ip)
    return 'its address means another host here than to the scheduler: its host.ip must be one that others reach it by';
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
