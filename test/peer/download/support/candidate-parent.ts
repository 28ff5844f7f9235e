import type { CandidateParent } from '../../../../src/scheduler-client/scheduler-client.js';

/** A parent as a scheduler names it, on a host of its own. */
export function candidate(peerId: string): CandidateParent {
  return {
    ...{ peerId, hostId: peerId, hostname: peerId, ip: '192.0.2.1', port: 1, isSeed: false, state: 'Running' },
    ...{ maxTxBitsPerSecond: 0, txBitsPerSecond: 0, wire: undefined },
  };
}
