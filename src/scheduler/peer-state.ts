import { DfpeerError } from '../core/errors.js';

/** The names are those of the wire: StatPeer and candidate parents carry them. */
export type PeerState =
  | 'Pending'
  | 'ReceivedEmpty' // told that the task has no bytes
  | 'ReceivedNormal' // registered; waits for an answer, or has one and hasn't started
  | 'Running' // downloads from parents
  | 'BackToSource' // downloads from the origin
  | 'Succeeded'
  | 'Failed'
  | 'Leave';

export type PeerEvent =
  | 'RegisterEmpty'
  | 'RegisterNormal'
  | 'Download'
  | 'DownloadBackToSource'
  | 'DownloadSucceeded'
  | 'DownloadFailed'
  | 'Leave';

const STARTED = {
  Download: 'Running',
  DownloadBackToSource: 'BackToSource',
  DownloadSucceeded: 'Succeeded',
  DownloadFailed: 'Failed',
  Leave: 'Leave',
} as const;

/** Every move that is allowed (docs/WIRE.md 1.4); one that is missing is an error of the client. */
export const PEER_TRANSITIONS: Readonly<Record<PeerState, Partial<Record<PeerEvent, PeerState>>>> = {
  Pending: {
    RegisterEmpty: 'ReceivedEmpty',
    RegisterNormal: 'ReceivedNormal',
    DownloadFailed: 'Failed',
    Leave: 'Leave',
  },
  ReceivedEmpty: STARTED,
  ReceivedNormal: STARTED,
  Running: STARTED,
  BackToSource: {
    DownloadBackToSource: 'BackToSource',
    DownloadSucceeded: 'Succeeded',
    DownloadFailed: 'Failed',
    Leave: 'Leave',
  },
  Succeeded: { DownloadFailed: 'Failed', Leave: 'Leave' },
  Failed: { Leave: 'Leave' },
  Leave: {},
};

/** @throws DfpeerError DFP_PEER_STATE, in the words of Dragonfly's scheduler. */
export function nextPeerState(state: PeerState, event: PeerEvent): PeerState {
  const next = PEER_TRANSITIONS[state][event];
  if (next === undefined)
    throw new DfpeerError('DFP_PEER_STATE', `event ${event} inappropriate in current state ${state}`);
  return next;
}

export function isFinished(state: PeerState): boolean {
  return state === 'Succeeded' || state === 'Failed' || state === 'Leave';
}
