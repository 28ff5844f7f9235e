import { ADMIN_TIMEOUT_MS } from '../../cli/admin-client.js';
import { DOCTOR_CHECK_TIMEOUT_MS } from '../../cli/doctor/doctor.js';
import { DIAL_TIMEOUT_MS } from '../../cli/doctor/reachability.js';
import { MAX_CHECKED_SCHEDULERS, SCHEDULER_CHECK_TIMEOUT_MS } from '../../cli/doctor/schedulers.js';
import { SENDFILE_CHECK_TIMEOUT_MS } from '../../cli/doctor/sendfile.js';
import { MAX_LISTED_ENTRIES } from '../../peer/status/daemon-view.js';
import { MAX_WATCHED_HOSTS } from '../../peer/status/host-ledger.js';
import { MAX_TAIL_CHARACTERS, MAX_TAIL_ENTRIES } from '../../peer/status/log-tail.js';
import { MAX_PIECE_MAP_CELLS } from '../../peer/status/piece-map.js';
import { MAX_THROUGHPUT_SAMPLES } from '../../peer/status/throughput.js';
import { MAX_EVENT_STREAMS, MAX_SKIPPED_EVENTS } from '../../peer/status-page/event-streams.js';
import {
  MAX_PAGE_HOSTS,
  MAX_PAGE_TASKS,
  MAX_PAGE_TRANSFERS,
  MAX_PAGE_WARNINGS,
} from '../../peer/status-page/snapshot.js';
import { bound, type BoundGroup } from './fixed-bound.js';

const COUNTED = 'the rest is counted';

/** What operators see of a daemon. */
export const OPERATOR_BOUNDS: readonly BoundGroup[] = [
  {
    title: 'Status page',
    bounds: [
      bound({ MAX_EVENT_STREAMS }, 'connections', 'Pages that follow the daemon.', '503 with Retry-After'),
      bound({ MAX_SKIPPED_EVENTS }, 'times', 'Events that a slow page misses in a row.', 'it is cut off'),
      bound({ MAX_PAGE_TASKS }, 'tasks', 'Tasks shown.', COUNTED),
      bound({ MAX_PIECE_MAP_CELLS }, 'entries', "Cells of a task's map.", 'pieces share cells'),
      bound({ MAX_PAGE_TRANSFERS }, 'transfers', 'Transfers shown.', COUNTED),
      bound({ MAX_PAGE_HOSTS }, 'entries', 'Hosts shown.', COUNTED),
      bound({ MAX_PAGE_WARNINGS }, 'entries', 'Warnings shown.', 'older ones are in the log'),
      bound({ MAX_TAIL_ENTRIES }, 'entries', 'Warnings kept.', 'the oldest is dropped'),
      bound({ MAX_TAIL_CHARACTERS }, 'characters', 'One of them.', 'cut'),
      bound({ MAX_THROUGHPUT_SAMPLES }, 'entries', 'Seconds of throughput kept.', 'the oldest is dropped'),
    ],
  },
  {
    title: 'dfdaemon doctor, tasks, peers and limits',
    bounds: [
      bound({ ADMIN_TIMEOUT_MS }, 'ms', 'The answer of the daemon.', 'DFP_DEADLINE'),
      bound({ MAX_LISTED_ENTRIES }, 'entries', 'Entries of one list.', COUNTED),
      bound({ MAX_WATCHED_HOSTS }, 'entries', 'Hosts remembered.', 'the one seen least recently is forgotten'),
      bound({ DOCTOR_CHECK_TIMEOUT_MS }, 'ms', 'One check of the doctor.', 'it counts as failed'),
      bound({ SCHEDULER_CHECK_TIMEOUT_MS }, 'ms', "A scheduler's or manager's answer.", 'it counts as dead'),
      bound({ MAX_CHECKED_SCHEDULERS }, 'entries', 'Schedulers asked.', 'the rest is only counted'),
      bound({ DIAL_TIMEOUT_MS }, 'ms', 'Dialling one of our own ports.', 'it counts as not reachable'),
      bound({ SENDFILE_CHECK_TIMEOUT_MS }, 'ms', 'Sending a probe by sendfile.', 'a warning'),
    ],
  },
];
