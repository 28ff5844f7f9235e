import assert from 'node:assert/strict';
import { isFinished, nextPeerState, PEER_TRANSITIONS } from '../../src/scheduler/peer-state.js';
import type { PeerEvent, PeerState } from '../../src/scheduler/peer-state.js';

const EVENTS: PeerEvent[] = [
  'RegisterEmpty',
  'RegisterNormal',
  'Download',
  'DownloadBackToSource',
  'DownloadSucceeded',
  'DownloadFailed',
  'Leave',
];

/** One row a state: where each event leads, in the order above; "-" is refused. */
const TABLE: [PeerState, ...(PeerState | '-')[]][] = [
  ['Pending', 'ReceivedEmpty', 'ReceivedNormal', '-', '-', '-', 'Failed', 'Leave'],
  ['ReceivedEmpty', '-', '-', 'Running', 'BackToSource', 'Succeeded', 'Failed', 'Leave'],
  ['ReceivedNormal', '-', '-', 'Running', 'BackToSource', 'Succeeded', 'Failed', 'Leave'],
  ['Running', '-', '-', 'Running', 'BackToSource', 'Succeeded', 'Failed', 'Leave'],
  ['BackToSource', '-', '-', '-', 'BackToSource', 'Succeeded', 'Failed', 'Leave'],
  ['Succeeded', '-', '-', '-', '-', '-', 'Failed', 'Leave'],
  ['Failed', '-', '-', '-', '-', '-', '-', 'Leave'],
  ['Leave', '-', '-', '-', '-', '-', '-', '-'],
];

describe('the states of a peer', () => {
  it('has a row for each state', () => {
    assert.deepEqual(TABLE.map(([state]) => state).sort(), Object.keys(PEER_TRANSITIONS).sort());
  });

  for (const [state, ...nexts] of TABLE)
    EVENTS.forEach((event, index) => {
      const next = nexts[index] ?? '-';
      it(`${state} + ${event} → ${next === '-' ? 'refused' : next}`, () => {
        if (next === '-')
          assert.throws(() => nextPeerState(state, event), {
            code: 'DFP_PEER_STATE',
            message: `event ${event} inappropriate in current state ${state}`,
          });
        else assert.equal(nextPeerState(state, event), next);
      });
    });

  it('are final in Succeeded, Failed and Leave', () => {
    assert.deepEqual(TABLE.map(([state]) => state).filter(isFinished), ['Succeeded', 'Failed', 'Leave']);
  });
});
