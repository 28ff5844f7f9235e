import { MAX_PENDING_ANNOUNCEMENTS } from '../../peer/announcer.js';
import { SCHEDULER_PATIENCE_MS } from '../../peer/start-scheduling.js';
import { DEFAULT_SCHEDULER_LIMITS, DEFAULT_SCHEDULER_TIMINGS } from '../../scheduler/limits.js';
import { GATHER_JOINS_MS, MIN_UPDATE_INTERVAL_MS } from '../../scheduler/parent-updates.js';
import { FIRST_MESSAGE_TIMEOUT_MS } from '../../scheduler/announce-peer-stream.js';
import { MAX_BLOCKED_MS, MAX_QUEUED_REPORTS } from '../../scheduler-client/announce-stream.js';
import { MAX_ANNOUNCED_TASKS } from '../../scheduler-client/announced-tasks.js';
import {
  MAX_BLOCK_LIST_ENTRIES,
  MAX_URL_PATTERN_CHARACTERS,
  MAX_URL_PATTERNS_ATTEMPTS,
  URL_PATTERNS_TIMEOUT_MS,
} from '../../scheduler-client/block-list.js';
import { FIRST_LOOK_TIMEOUT_MS } from '../../scheduler-client/client.js';
import { MAX_CANDIDATE_PARENTS } from '../../scheduler-client/candidates.js';
import { HEALTH_CHECK_TIMEOUT_MS } from '../../scheduler-client/health.js';
import { WITHDRAW_TIMEOUT_MS } from '../../scheduler-client/host-announcer.js';
import { LIST_TIMEOUT_MS } from '../../scheduler-client/manager-source.js';
import { MAX_DESCRIPTION_CHARACTERS, MAX_REPORTED_HEADERS } from '../../scheduler-client/peer-messages.js';
import { END_TIMEOUT_MS, FIRST_ANSWER_TIMEOUT_MS } from '../../scheduler-client/peer-session.js';
import { MAX_CONSECUTIVE_FAILURES } from '../../scheduler-client/reannounce.js';
import { DNS_TIMEOUT_MS } from '../../scheduler-client/scheduler-address.js';
import {
  KEEPALIVE_TIMEOUT_MS,
  MAX_RECEIVE_BYTES,
  UNARY_TIMEOUT_MS,
} from '../../scheduler-client/scheduler-connection.js';
import { MAX_ANSWER_FIELDS } from '../../scheduler-client/announce-codec.js';
import { MAX_SCHEDULERS } from '../../scheduler-client/scheduler-source.js';
import { bound, type BoundGroup } from './fixed-bound.js';

const { maxHosts, maxTasks, maxPeers, maxPeersPerTask, maxStreams, maxParents, maxBlockedParents } =
  DEFAULT_SCHEDULER_LIMITS;
const { parentWaitMs, sourceStartMs, streamGraceMs, hostIdleMs, peerIdleMs, taskIdleMs } = DEFAULT_SCHEDULER_TIMINGS;

/** src/scheduler-client and src/scheduler. */
export const CLUSTER_BOUNDS: readonly BoundGroup[] = [
  {
    title: 'Talking to schedulers and managers',
    bounds: [
      bound({ MAX_SCHEDULERS }, 'entries', 'Schedulers of one source.', 'further ones are ignored, with a warning'),
      bound({ DNS_TIMEOUT_MS }, 'ms', "Resolving a scheduler's name.", 'the last good list stays in force'),
      bound({ LIST_TIMEOUT_MS }, 'ms', 'Asking the manager for schedulers.', 'the last good list stays in force'),
      bound({ HEALTH_CHECK_TIMEOUT_MS }, 'ms', 'Health check before the first use.', 'not used until it answers'),
      bound(
        { FIRST_LOOK_TIMEOUT_MS },
        'ms',
        'Time that a download right after the start waits for a scheduler.',
        'the origin is used',
      ),
      bound(
        { SCHEDULER_PATIENCE_MS },
        'ms',
        'Time that the start of the daemon waits for a silent scheduler.',
        'it joins in the background',
      ),
      bound(
        { MAX_PENDING_ANNOUNCEMENTS },
        'tasks',
        'Small tasks that wait to be announced.',
        'announced when a scheduler joins the next time',
      ),
      bound({ UNARY_TIMEOUT_MS }, 'ms', 'A single call.', 'DFP_DEADLINE; the download goes on without it'),
      bound({ KEEPALIVE_TIMEOUT_MS }, 'ms', "A silent connection's answer to a ping.", 'reconnected'),
      bound({ FIRST_ANSWER_TIMEOUT_MS }, 'ms', 'Answer to a registration.', 'the origin is used'),
      bound({ MAX_RECEIVE_BYTES }, 'bytes', 'One message of a scheduler.', 'the call fails'),
      bound({ MAX_ANSWER_FIELDS }, 'entries', 'Fields of its answer to a download.', 'its stream is given up'),
      bound({ MAX_CANDIDATE_PARENTS }, 'parents', 'Candidate parents in one answer.', 'further ones are ignored'),
      bound({ MAX_QUEUED_REPORTS }, 'entries', 'Reports that wait for a slow scheduler.', 'its stream is given up'),
      bound({ MAX_BLOCKED_MS }, 'ms', 'A scheduler that reads no reports.', 'its stream is given up'),
      bound({ END_TIMEOUT_MS }, 'ms', 'Closing a stream after the last report.', 'it is cut off'),
      bound({ WITHDRAW_TIMEOUT_MS }, 'ms', 'Farewell to all schedulers at the end.', 'the daemon ends without it'),
      bound(
        { MAX_ANNOUNCED_TASKS },
        'tasks',
        'Stored tasks whose announcement is remembered.',
        'the oldest are announced once more than needed',
      ),
      bound(
        { MAX_CONSECUTIVE_FAILURES },
        'times',
        'Announcements of stored tasks that fail in a row.',
        'the rest follows when the scheduler is back',
      ),
      bound({ MAX_DESCRIPTION_CHARACTERS }, 'characters', 'Error text in a report.', 'cut'),
      bound({ MAX_REPORTED_HEADERS }, 'headers', "The origin's headers in a report.", 'further ones are left out'),
      bound({ MAX_BLOCK_LIST_ENTRIES }, 'entries', "Entries of a block list's kind.", 'further ones are ignored'),
      bound({ MAX_URL_PATTERN_CHARACTERS }, 'characters', 'URL pattern of a block list.', 'the pattern is ignored'),
      bound({ URL_PATTERNS_TIMEOUT_MS }, 'ms', 'Matching one URL with all patterns.', 'tried again'),
      bound(
        { MAX_URL_PATTERNS_ATTEMPTS },
        'times',
        'Attempts at matching one URL that took too long.',
        'the download is refused',
      ),
    ],
  },
  {
    title: 'The embedded scheduler',
    bounds: [
      bound({ maxHosts }, 'entries', 'Hosts.', 'further ones are refused'),
      bound({ maxTasks }, 'tasks', 'Tasks.', 'the longest idle one is dropped; refused when none is idle'),
      bound({ maxPeers }, 'entries', 'Peers over all tasks.', 'an ended one is dropped; refused when there is none'),
      bound(
        { maxPeersPerTask },
        'entries',
        'Peers of one task.',
        'an ended one is dropped; refused when there is none',
      ),
      bound({ maxStreams }, 'entries', 'AnnouncePeer streams at once.', 'further ones are refused'),
      bound({ maxParents }, 'parents', 'Candidate parents of one peer.', 'never more'),
      bound(
        { GATHER_JOINS_MS },
        'ms',
        'Time in which joining peers are gathered before running ones are told.',
        'they are told',
      ),
      bound({ MIN_UPDATE_INTERVAL_MS }, 'ms', 'Between two such rounds of one task.', 'the next one waits'),
      bound({ maxBlockedParents }, 'parents', 'Parents that one peer has reported.', 'the oldest are forgotten'),
      bound({ FIRST_MESSAGE_TIMEOUT_MS }, 'ms', 'First message of a new stream.', 'the stream is ended'),
      bound({ parentWaitMs }, 'ms', "A peer's wait for its first parent.", 'it goes to the origin'),
      bound(
        { sourceStartMs },
        'ms',
        'Time in which a peer that was sent to the origin says that it has started.',
        'another one is sent',
      ),
      bound({ streamGraceMs }, 'ms', 'A peer without its stream.', 'it counts as failed'),
      bound({ hostIdleMs }, 'ms', 'A host that told no interval and is silent.', 'it is dropped'),
      bound({ peerIdleMs }, 'ms', 'An unfinished peer that reports nothing.', 'it is dropped'),
      bound({ taskIdleMs }, 'ms', 'A task without peers.', 'it is dropped'),
    ],
  },
];
