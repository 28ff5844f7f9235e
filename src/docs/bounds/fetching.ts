import { MAX_PIECE_LENGTH, MAX_PIECES, MIN_PIECE_LENGTH } from '../../core/piece.js';
import { HOST_MEMORY_MS, MAX_REMEMBERED_HOSTS } from '../../peer/download/remembered-hosts.js';
import { LIFE_PATIENCE_MS } from '../../scheduler-client/liveness.js';
import { DISTRUST_MS, MAX_DISTRUSTED_HOSTS, MAX_STRIKES } from '../../peer/download/distrusted-hosts.js';
import { ORIGIN_TIMEOUT_MS } from '../../peer/download/download-request.js';
import { DISK_TIMEOUT_MS } from '../../peer/download/named-waits.js';
import { CHECK_TIMEOUT_MS } from '../../peer/download/open-task.js';
import {
  LIFELESS_WIDENING_MS,
  ORIGIN_PATIENCE_MS,
  ORIGIN_WIDENING_MS,
  PARENT_PATIENCE_MS,
} from '../../peer/download/origin-race.js';
import { ROOM_TIMEOUT_MS } from '../../peer/download/origin-rooms.js';
import { MAX_RETRY_DELAY_MS, MAX_TIMES_TURNED_AWAY, TOO_MANY_PATIENCE_MS } from '../../peer/download/origin-source.js';
import { MAX_PARENT_FAILURES } from '../../peer/download/parent-link.js';
import { ENOUGH_PARENTS, MAX_SEARCHES } from '../../peer/download/parent-search.js';
import { MAX_BUSY_ANSWERS, MAX_EMPTY_OFFERS, MAX_PARENTS, MAX_REST_MS } from '../../peer/download/parent-swarm.js';
import { MAX_RESTARTS } from '../../peer/download/task-download.js';
import { FIRST_STALL_MS } from '../../peer/download/stall-watch.js';
import { MAX_WANTED_RANGES } from '../../peer/download/wanted.js';
import { THREAD_GRACE_MS } from '../../peer/fetch/fetch-call.js';
import {
  MAX_CONNECTIONS_PER_ORIGIN,
  MAX_ORIGIN_HEAD_BYTES,
  MAX_REDIRECTS,
  ORIGIN_CONNECT_TIMEOUT_MS,
} from '../../peer/fetch/origin/origin-client.js';
import { MAX_ORIGINS } from '../../peer/fetch/origin/renewed-agent.js';
import { HEAD_TIMEOUT_MS } from '../../peer/fetch/origin/stat-origin.js';
import { MAX_BUFFERED_BYTES } from '../../peer/fetch/origin/response-body.js';
import { MAX_IDLE_CONNECTIONS, MAX_IDLE_PER_ENDPOINT } from '../../peer/fetch/connection/connection-pool.js';
import { MAX_READ_BATCH_BYTES, MAX_READ_BATCH_WAIT_MS } from '../../peer/fetch/connection/read-batching.js';
import { MAX_BLOCKS_OF_PIECE } from '../../peer/fetch/parent/blocks-body.js';
import { MAX_REFUSAL_BYTES } from '../../peer/fetch/parent/http-piece-reader.js';
import { MAX_HEAD_BYTES, MAX_HEADERS } from '../../peer/fetch/connection/http-response-head.js';
import { CONNECT_TIMEOUT_MS as PIECE_CONNECT_TIMEOUT_MS } from '../../peer/fetch/connection/piece-connection.js';
import { IDLE_THREAD_TIMEOUT_MS, THREAD_END_TIMEOUT_MS } from '../../peer/fetch/thread-pool.js';
import {
  MAX_DEFAULT_THREADS,
  MAX_FETCHES_IN_FLIGHT,
  MAX_FETCHES_WAITING,
} from '../../peer/fetch/threaded-piece-fetcher.js';
import {
  CONNECT_TIMEOUT_MS as CALL_CONNECT_TIMEOUT_MS,
  PING_INTERVAL_MS,
  PING_TIMEOUT_MS,
} from '../../peer/parents/grpc-parent-dialer.js';
import { bound, type BoundGroup } from './fixed-bound.js';

/** src/peer/download and src/peer/fetch. */
export const FETCHING_BOUNDS: readonly BoundGroup[] = [
  {
    title: 'Downloading from parents',
    bounds: [
      bound({ MAX_PARENTS }, 'parents', 'Parents of one download at a time.', 'further ones are not used'),
      bound(
        { ENOUGH_PARENTS },
        'parents',
        'Parents that are enough: no more are looked for.',
        'the scheduler is not asked',
      ),
      bound({ MAX_SEARCHES }, 'requests', 'Searches for more parents in one download.', 'those at hand have to do'),
      bound(
        { MAX_PARENT_FAILURES },
        'times',
        'Failures of a parent in a row.',
        'it is given up and reported to the scheduler',
      ),
      bound(
        { MAX_STRIKES },
        'times',
        'Bad pieces of a host, to all downloads together.',
        'it is not asked for a while',
      ),
      bound({ DISTRUST_MS }, 'ms', 'Time since its last bad piece that such a host is left out.', 'it is asked again'),
      bound({ MAX_DISTRUSTED_HOSTS }, 'entries', 'Hosts whose bad pieces are remembered.', 'the oldest is forgotten'),
      bound(
        { LIFE_PATIENCE_MS },
        'ms',
        'A sign of life of the scheduler or of a parent; four round trips where those take longer.',
        'pieces come from the origin until there is one',
      ),
      bound(
        { LIFELESS_WIDENING_MS },
        'ms',
        'Each further time without one.',
        'the origin is asked for twice as many at once',
      ),
      bound(
        { HOST_MEMORY_MS },
        'ms',
        'Time that a parent without a sign of life is remembered, or one whose pieces nobody gets through to.',
        'it is waited for again',
      ),
      bound(
        { MAX_REMEMBERED_HOSTS },
        'entries',
        'Such hosts that are remembered, of either kind.',
        'the oldest is forgotten',
      ),
      bound(
        { ORIGIN_PATIENCE_MS },
        'ms',
        "The scheduler's answer, or the first word of parents.",
        'pieces come from the origin meanwhile, at first one at once',
      ),
      bound(
        { ORIGIN_WIDENING_MS },
        'ms',
        'Each further time that they are silent.',
        'the origin is asked for twice as many at once',
      ),
      bound(
        { PARENT_PATIENCE_MS },
        'ms',
        'Parents that are asked for pieces and send no byte.',
        'the same; also a silent scheduler, where the origin takes no ranges. When a parent is lost and the others offer nothing for so long, the scheduler is asked again',
      ),
      bound({ MAX_REST_MS }, 'ms', 'Time that a failing or busy parent is left alone.', 'it is asked again'),
      bound({ MAX_BUSY_ANSWERS }, 'times', '"Come back later" in a row from a parent.', 'it is given up'),
      bound(
        { MAX_EMPTY_OFFERS },
        'pieces',
        'Offers in a row of what a parent has no more when it is asked.',
        'the same',
      ),
      bound(
        { CONNECT_TIMEOUT_MS: CALL_CONNECT_TIMEOUT_MS },
        'ms',
        "Connecting to a parent's gRPC port.",
        'a failure of the parent',
      ),
      bound({ PING_INTERVAL_MS }, 'ms', "Between two pings of a parent's connection.", 'the next one'),
      bound({ PING_TIMEOUT_MS }, 'ms', "A parent's answer to a ping.", 'the parent is given up'),
      bound(
        { CONNECT_TIMEOUT_MS: PIECE_CONNECT_TIMEOUT_MS },
        'ms',
        "Connecting to a parent's piece server.",
        'a failure of the parent',
      ),
      bound({ MAX_HEAD_BYTES }, 'bytes', "Head of a parent's answer.", 'DFP_PARENT_PROTOCOL'),
      bound({ MAX_HEADERS }, 'headers', "Headers of a parent's answer.", 'DFP_PARENT_PROTOCOL'),
      bound({ MAX_REFUSAL_BYTES }, 'bytes', "Text of a parent's refusal that is read.", 'the rest is not read'),
      bound({ MAX_BLOCKS_OF_PIECE }, 'entries', 'Blocks that a parent sends a piece in.', 'DFP_PARENT_PROTOCOL'),
      bound(
        { MAX_READ_BATCH_BYTES },
        'bytes',
        'What the kernel keeps back of a piece, to wake us once for all of it.',
        'they are read',
      ),
      bound({ MAX_READ_BATCH_WAIT_MS }, 'ms', 'How long it keeps them back.', 'what there is, is read'),
      bound(
        { MAX_IDLE_PER_ENDPOINT },
        'connections',
        'Idle connections kept to one parent or http origin.',
        'further ones are closed',
      ),
      bound(
        { MAX_IDLE_CONNECTIONS },
        'connections',
        'Idle connections kept in one thread to parents, and as many to http origins for local users and for the network.',
        'further ones are closed',
      ),
    ],
  },
  {
    title: 'Downloading from origins',
    bounds: [
      bound(
        { ORIGIN_TIMEOUT_MS },
        'ms',
        'Asking an origin for length and validators.',
        'an attempt of `backend.maxRetries`',
      ),
      bound(
        { HEAD_TIMEOUT_MS },
        'ms',
        'Asking an origin by HEAD for the length that its answer to GET lacks.',
        'the content is read without knowing its length',
      ),
      bound({ ORIGIN_CONNECT_TIMEOUT_MS }, 'ms', 'Connecting to an origin.', 'an attempt of `backend.maxRetries`'),
      bound({ MAX_REDIRECTS }, 'times', 'Redirects of one request.', 'DFP_ORIGIN_REDIRECTS'),
      bound({ MAX_RETRY_DELAY_MS }, 'ms', 'Pause before an origin is asked again.', 'it is asked, whatever it wished'),
      bound(
        { ROOM_TIMEOUT_MS },
        'ms',
        'Wait for others of this node, when an origin has turned one away (429, 503).',
        'it is asked all the same',
      ),
      bound(
        { MAX_TIMES_TURNED_AWAY },
        'times',
        'Attempts that were turned away while others of this node were asking, beside `backend.maxRetries`.',
        'the download fails',
      ),
      bound(
        { TOO_MANY_PATIENCE_MS },
        'ms',
        'Further attempts at an origin that answers 429, or says when to come back, unless `backend.maxRetries` is 0.',
        'the download fails',
      ),
      bound(
        { MAX_RESTARTS },
        'times',
        'Starting anew because the content changed; the last time all of it is to come in one answer.',
        'DFP_ORIGIN_CHANGED',
      ),
      bound({ MAX_ORIGIN_HEAD_BYTES }, 'bytes', "Head of an origin's answer.", 'the download fails'),
      bound(
        { MAX_CONNECTIONS_PER_ORIGIN },
        'connections',
        'Connections to one origin in one thread.',
        'further requests wait',
      ),
      bound(
        { MAX_ORIGINS },
        'entries',
        'Origins that one thread keeps connections to.',
        'those that are idle are closed',
      ),
      bound({ MAX_BUFFERED_BYTES }, 'bytes', 'Bytes of an answer read ahead.', 'reading pauses'),
    ],
  },
  {
    title: 'Fetch threads and pieces',
    bounds: [
      bound({ IDLE_THREAD_TIMEOUT_MS }, 'ms', 'A fetch thread without work, beyond the last one.', 'it ends'),
      bound({ MAX_DEFAULT_THREADS }, 'threads', 'Threads that receive bytes: one for two processors.', 'never more'),
      bound({ MAX_FETCHES_IN_FLIGHT }, 'pieces', 'Pieces of all tasks in flight.', 'further ones stand in line'),
      bound({ MAX_FETCHES_WAITING }, 'pieces', 'Pieces of all tasks in line.', 'DFP_LIMIT'),
      bound(
        { THREAD_GRACE_MS },
        'ms',
        'A thread that has not answered after the deadline of its piece.',
        'the thread is ended and replaced, DFP_STORE_IO',
      ),
      bound({ THREAD_END_TIMEOUT_MS }, 'ms', 'The end of such a thread.', 'its pieces are given up all the same'),
      bound({ DISK_TIMEOUT_MS }, 'ms', 'One small thing on the disk: a record, a new file.', 'DFP_STORE_IO'),
      bound({ CHECK_TIMEOUT_MS }, 'ms', 'Reading the pieces of a task again after a crash.', 'DFP_DEADLINE'),
      bound({ FIRST_STALL_MS }, 'ms', 'A download that does not move.', 'the log says who is waited for'),
      bound({ MAX_WANTED_RANGES }, 'entries', 'Ranges that the clients of one download want.', 'all of it is fetched'),
      bound({ MIN_PIECE_LENGTH }, 'bytes', 'Smallest length of a piece.', 'DFP_INVALID_ARGUMENT'),
      bound({ MAX_PIECE_LENGTH }, 'bytes', 'Largest length of a piece.', 'DFP_INVALID_ARGUMENT'),
      bound({ MAX_PIECES }, 'pieces', 'Pieces of a content, by the length that its origin tells.', 'DFP_LIMIT'),
    ],
  },
];
