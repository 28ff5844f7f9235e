import { MAX_PIECE_SET_PIECES } from '../../core/piece-set.js';
import { DEFAULT_LOG_MAX_FILES, MAX_LOG_FILES } from '../../cli/dfdaemon-options.js';
import { DEFAULT_TIMEOUT_MS, MAX_JOBS } from '../../cli/dfget-options.js';
import { START_RETRY_MS, START_TIMEOUT_MS } from '../../cli/start-daemon.js';
import { MAX_UNANSWERED_PINGS, PING_INTERVAL_MS } from '../../cli/daemon-call/heartbeat.js';
import { SHUTDOWN_WAIT_MS } from '../../cli/patience.js';
import { MAX_SOCKET_NOTE_BYTES } from '../../peer/socket-note.js';
import { MAX_HEADER_CHARACTERS, MAX_HEADERS } from '../../cli/http-flags.js';
import { LOG_FLUSH_TIMEOUT_MS, MAX_BUFFERED_LOG_BYTES } from '../../cli/log-destination.js';
import { LOG_RETRY_MS } from '../../cli/log-files.js';
import { MAX_NETRC_BYTES } from '../../cli/netrc.js';
import { MAX_URL_CHARACTERS } from '../../cli/source-url.js';
import { MAX_LIST_BYTES, MAX_LISTED_URLS } from '../../cli/url-list.js';
import { DRAIN_TIMEOUT_MS } from '../../cli/to-settings.js';
import { MAX_REPORTED_ISSUES } from '../../config/config-error.js';
import { MAX_CONFIG_BYTES } from '../../config/config-file.js';
import { MAX_ENTRIES } from '../../config/key-kinds.js';
import { MAX_YAML_DEPTH } from '../../config/yaml-depth.js';
import { MAX_ALIAS_COUNT } from '../../config/yaml-document.js';
import { MAX_REDACT_DEPTH, MAX_REDACT_ENTRIES } from '../../core/redact.js';
import { MAX_SOCKET_PATH_BYTES } from '../../core/socket-path.js';
import { MAX_ORIGIN_DETAILS_BYTES } from '../../grpc/origin-details.js';
import { DEFAULT_GRPC_SERVER_LIMITS } from '../../grpc/server.js';
import { GRPC_STOP_GRACE_MS } from '../../peer/grpc-servers.js';
import { DISK_ANSWER_TIMEOUT_MS } from '../../peer/disk-metrics.js';
import { LOCAL_READER_TIMEOUT_MS } from '../../peer/grpc/download-service.js';
import { STREAM_WRITE_TIMEOUT_MS } from '../../grpc/handlers.js';
import {
  CROSSED_OFFER_TIMEOUT_MS,
  FIRST_OFFER_TIMEOUT_MS,
  MAX_CHILD_SHARE,
  MAX_OFFER_TIMEOUT_MS,
  MAX_PACED_UPLOAD_MS,
  MAX_PACED_UPLOADS,
  MAX_UNTAKEN_OFFERS,
  MIN_OFFER_TIMEOUT_MS,
} from '../../peer/swarm/offer-pacing.js';
import { MAX_ASKED_OF_NEWS } from '../../peer/swarm/backlog.js';
import { MAX_NEWS } from '../../peer/swarm/paced-child.js';
import { MIN_TELLING_INTERVAL_MS } from '../../peer/grpc/peer-service.js';
import { MAX_AWAITED_PIECES, MAX_INTERESTED_PIECES } from '../../peer/grpc/sync-pieces.js';
import { MAX_REQUEST_FIELDS } from '../../grpc/message-fields.js';
import { MAX_UNFINISHED_REQUEST_BYTES, REQUEST_TIMEOUT_MS } from '../../grpc/unfinished-requests.js';
import { MEMORY_INTERVAL_MS } from '../../peer/memory-keeper.js';
import { MAX_BAD_HOSTS } from '../../peer/metrics.js';
import { STEP_TIMEOUT_MS } from '../../peer/shutdown.js';
import {
  MAX_SMALL_SERVER_CONNECTIONS,
  MAX_SMALL_SERVER_CONNECTIONS_PER_IP,
  MAX_SMALL_SERVER_PIPELINED_REQUESTS,
  SMALL_SERVER_HEAD_TIMEOUT_MS,
  SMALL_SERVER_REQUEST_TIMEOUT_MS,
  SMALL_SERVER_SILENCE_TIMEOUT_MS,
} from '../../peer/small-http-server.js';
import { MAX_BLOCK_MS } from '../../peer/store/arrivals.js';
import { MAX_STORED_TASKS } from '../../peer/gc/collector.js';
import { MAX_REMEMBERED_ARRIVALS } from '../../peer/store/remembered-arrivals.js';
import { MAX_LISTENERS } from '../../peer/store/stored-task.js';
import { MAX_QUARANTINED_FILES } from '../../peer/store/quarantine.js';
import { MAX_CONCURRENT_CHECKS } from '../../peer/store/startup-checks.js';
import { DEFAULT_MAX_IDLE_FILES } from '../../peer/store/task-store.js';
import {
  MAX_QUEUED_SPANS,
  MAX_SPANS_PER_EXPORT,
  TRACE_EXPORT_TIMEOUT_MS,
  TRACE_FLUSH_TIMEOUT_MS,
} from '../../peer/tracing/open-telemetry.js';
import { MAX_UNIX_PATH_BYTES } from '../../../native/index.js';
import { MAX_STORY_LENGTH } from '../../peer/grpc/story-message.js';
import { bound, type BoundGroup } from './fixed-bound.js';

const {
  maxConnections,
  maxConnectionsPerIp,
  maxStreamsPerConnection,
  maxCalls,
  maxCallsPerIp,
  maxMessageBytes,
  connectionIdleMs,
  keepaliveTimeoutMs,
} = DEFAULT_GRPC_SERVER_LIMITS;

const SILENT_GO = 'the one that asked for nothing for longest is closed';

/** src/grpc, src/peer, src/config and src/cli. */
export const DAEMON_BOUNDS: readonly BoundGroup[] = [
  {
    title: 'gRPC servers',
    bounds: [
      bound({ maxConnections }, 'connections', 'Connections of one server.', 'new ones are closed, with a warning'),
      bound(
        { maxConnectionsPerIp },
        'connections',
        'Connections of one IP to one server.',
        'new ones are closed, with a warning',
      ),
      bound({ maxStreamsPerConnection }, 'requests', 'Calls at once on one connection.', 'further ones wait (HTTP/2)'),
      bound({ maxCalls }, 'requests', 'Calls at once on one server.', 'RESOURCE_EXHAUSTED'),
      bound({ maxCallsPerIp }, 'requests', 'The same of one IP.', 'RESOURCE_EXHAUSTED'),
      bound({ maxMessageBytes }, 'bytes', 'One message.', 'RESOURCE_EXHAUSTED'),
      bound(
        { MAX_REQUEST_FIELDS },
        'entries',
        'Fields of one request; two numbers of a list count as one.',
        'INTERNAL',
      ),
      bound(
        { REQUEST_TIMEOUT_MS },
        'ms',
        'A request, from the beginning of the call to its end; in a stream of them, from its first byte to its last.',
        'RESOURCE_EXHAUSTED',
      ),
      bound(
        { MAX_UNFINISHED_REQUEST_BYTES },
        'bytes',
        'Requests whose end has not come, of all calls of one server.',
        'the call that began first is ended with RESOURCE_EXHAUSTED',
      ),
      bound({ connectionIdleMs }, 'ms', 'A connection without a call.', 'it is closed'),
      bound(
        { keepaliveTimeoutMs },
        'ms',
        "A silent connection's answer to a ping; not on the unix socket.",
        'it is closed',
      ),
      bound({ STREAM_WRITE_TIMEOUT_MS }, 'ms', 'A client that reads nothing of its stream.', 'the stream is ended'),
      bound(
        { LOCAL_READER_TIMEOUT_MS },
        'ms',
        'A client of the unix socket that reads nothing of its download, as a dfget that was stopped; `--timeout` counts, too.',
        'DFP_DEADLINE',
      ),
      bound(
        { MAX_ORIGIN_DETAILS_BYTES },
        'bytes',
        "An origin's refusal in an error.",
        'its further headers are left out',
      ),
      bound({ MAX_INTERESTED_PIECES }, 'pieces', 'Pieces named in one SyncPieces request.', 'INVALID_ARGUMENT'),
      bound(
        { MAX_AWAITED_PIECES },
        'pieces',
        'Pieces that all children together wait to hear of.',
        'RESOURCE_EXHAUSTED',
      ),
      bound(
        { MAX_PACED_UPLOADS },
        'transfers',
        'Uploads at once that offers are made for, while several children want a task; as many again for the time until they are taken.',
        'further offers wait',
      ),
      bound({ MAX_CHILD_SHARE }, 'of them', 'Of these uploads, those to one child.', 'other children are told first'),
      bound(
        { MAX_NEWS },
        'pieces',
        'Pieces that only one child was told of, remembered to see what it still has to pass on.',
        'the oldest count as passed on',
      ),
      bound(
        { MAX_ASKED_OF_NEWS },
        'children',
        'Children of a task that are looked at to see whether such a piece was passed on.',
        'the others count as if they had it',
      ),
      bound(
        { MAX_PACED_UPLOAD_MS },
        'ms',
        'Time that an upload holds back offers, at most.',
        'offers go on without it',
      ),
      bound({ MIN_TELLING_INTERVAL_MS }, 'ms', 'Between two messages of a child on what it holds.', 'it waits'),
      bound({ MAX_UNTAKEN_OFFERS }, 'pieces', 'Open offers to a child alone with a task.', 'further offers wait'),
      bound({ FIRST_OFFER_TIMEOUT_MS }, 'ms', 'An offer, before children were seen to take any.', 'it lapses'),
      bound({ CROSSED_OFFER_TIMEOUT_MS }, 'ms', 'An offer of what the child has just said it asked for.', 'it lapses'),
      bound({ MIN_OFFER_TIMEOUT_MS }, 'ms', 'An offer to quick children, at least.', 'it lapses'),
      bound({ MAX_OFFER_TIMEOUT_MS }, 'ms', 'An offer to slow children, at most.', 'it lapses'),
      bound(
        { MAX_PIECE_SET_PIECES },
        'pieces',
        'Pieces of a task whose children tell what they hold.',
        'they do not tell',
      ),
    ],
  },
  {
    title: 'Store',
    bounds: [
      bound(
        { DEFAULT_MAX_IDLE_FILES },
        'files',
        'Files kept open although nobody reads them.',
        'the oldest are closed',
      ),
      bound(
        { MAX_BLOCK_MS },
        'ms',
        'Each of the blocks of a piece that children are to have while it arrives.',
        'they hear of it once it is complete',
      ),
      bound(
        { MAX_REMEMBERED_ARRIVALS },
        'pieces',
        "Pieces whose blocks' sums are remembered after they came, of all tasks together.",
        'children get the oldest as a whole',
      ),
      bound(
        { MAX_STORED_TASKS },
        'tasks',
        'Stored tasks, each of which takes about 4 KiB of memory; looked at every `gc.interval`.',
        'the least recently used ones are removed, unless in use',
      ),
      bound({ MAX_LISTENERS }, 'entries', 'Clients, children and uploads waiting on one task.', 'DFP_LIMIT'),
      bound(
        { MAX_QUARANTINED_FILES },
        'files',
        'Damaged files kept for inspection, for `gc.policy.taskTTL` and as far as the quota allows.',
        'the oldest are removed',
      ),
      bound(
        { MAX_CONCURRENT_CHECKS },
        'tasks',
        'Tasks of an earlier process that are checked at once at the start.',
        'further ones wait, unless they are asked for',
      ),
      bound({ MEMORY_INTERVAL_MS }, 'ms', 'Between two looks at the memory that is unused.', 'it is given back'),
    ],
  },
  {
    title: 'Metrics, health and status page',
    bounds: [
      bound({ MAX_SMALL_SERVER_CONNECTIONS }, 'connections', 'Connections of one of these servers.', SILENT_GO),
      bound({ MAX_SMALL_SERVER_CONNECTIONS_PER_IP }, 'connections', 'The same of one IP.', SILENT_GO),
      bound(
        { MAX_SMALL_SERVER_PIPELINED_REQUESTS },
        'requests',
        'Requests of one connection before the first is answered.',
        'the connection is closed',
      ),
      bound({ SMALL_SERVER_HEAD_TIMEOUT_MS }, 'ms', "A request's head.", '408, the connection is closed'),
      bound({ SMALL_SERVER_REQUEST_TIMEOUT_MS }, 'ms', 'A request.', '408, the connection is closed'),
      bound(
        { SMALL_SERVER_SILENCE_TIMEOUT_MS },
        'ms',
        'A client that takes no answer; at the second look.',
        'the connection is closed',
      ),
      bound(
        { DISK_ANSWER_TIMEOUT_MS },
        'ms',
        "What the store's file system tells of its room.",
        'only that is left out',
      ),
      bound({ MAX_BAD_HOSTS }, 'entries', 'Hosts with bad pieces that the metric names.', 'others count as `other`'),
    ],
  },
  {
    title: 'Traces and the service manager',
    bounds: [
      bound({ MAX_QUEUED_SPANS }, 'entries', 'Spans that wait to be sent.', 'further ones are dropped'),
      bound({ MAX_SPANS_PER_EXPORT }, 'entries', 'Spans of one request to the collector.', 'the rest goes in the next'),
      bound({ TRACE_EXPORT_TIMEOUT_MS }, 'ms', 'One request to the collector.', 'its spans are lost'),
      bound({ TRACE_FLUSH_TIMEOUT_MS }, 'ms', 'Sending what is left when the daemon ends.', 'the rest is lost'),
      bound({ MAX_UNIX_PATH_BYTES }, 'bytes', 'The path in NOTIFY_SOCKET.', 'systemd is not told, with a warning'),
    ],
  },
  {
    title: 'The end of the daemon',
    bounds: [
      bound({ DRAIN_TIMEOUT_MS }, 'ms', 'Running uploads, then running downloads, at SIGTERM.', 'they are cut off'),
      bound({ GRPC_STOP_GRACE_MS }, 'ms', 'Calls that still run after that.', 'they are cut off'),
      bound({ STEP_TIMEOUT_MS }, 'ms', 'Stopping any one part.', 'an error is logged, the next part follows'),
    ],
  },
  {
    title: 'Configuration, flags and logs',
    bounds: [
      bound({ MAX_CONFIG_BYTES }, 'bytes', 'A configuration or dynconfig file.', 'DFP_CONFIG'),
      bound({ MAX_ALIAS_COUNT }, 'entries', 'YAML aliases that a file expands.', 'DFP_CONFIG'),
      bound({ MAX_YAML_DEPTH }, 'entries', 'Lists and mappings of a file within each other.', 'DFP_CONFIG'),
      bound({ MAX_ENTRIES }, 'entries', 'Entries of a list or mapping.', 'DFP_CONFIG'),
      bound({ MAX_REPORTED_ISSUES }, 'entries', 'Errors of a file that are listed.', 'the rest is counted'),
      bound({ MAX_SOCKET_PATH_BYTES }, 'bytes', "A unix socket's path.", 'DFP_CONFIG'),
      bound({ MAX_LOG_FILES }, 'files', '`--log-max-files`.', 'DFP_USAGE'),
      bound({ DEFAULT_LOG_MAX_FILES }, 'files', 'Log files kept by default.', 'the oldest is removed'),
      bound(
        { MAX_BUFFERED_LOG_BYTES },
        'bytes',
        'Log that waits for a slow or full disk.',
        'further lines are dropped',
      ),
      bound({ LOG_RETRY_MS }, 'ms', 'After a line could not be written.', 'it is tried again'),
      bound({ LOG_FLUSH_TIMEOUT_MS }, 'ms', 'Writing the log at the end.', 'the rest is lost'),
      bound({ MAX_REDACT_DEPTH }, 'entries', 'Depth of what a log line shows.', 'cut'),
      bound({ MAX_REDACT_ENTRIES }, 'entries', 'Entries of what a log line shows.', 'cut'),
    ],
  },
  {
    title: 'dfget',
    bounds: [
      bound(
        { MAX_STORY_LENGTH },
        'characters',
        "The trailer that tells a download's story.",
        'the parents that gave least are left out',
      ),
      bound({ DEFAULT_TIMEOUT_MS }, 'ms', 'A download, unless `--timeout` says otherwise.', 'DFP_DEADLINE'),
      bound({ START_TIMEOUT_MS }, 'ms', 'Starting a daemon in the background.', 'DFP_DAEMON_UNREACHABLE'),
      bound(
        { START_RETRY_MS },
        'ms',
        'A daemon that has the store, has noted its socket, and does not answer there.',
        'DFP_DAEMON_UNREACHABLE',
      ),
      bound({ SHUTDOWN_WAIT_MS }, 'ms', 'The end of a daemon that is shutting down.', 'DFP_DEADLINE'),
      bound({ PING_INTERVAL_MS }, 'ms', 'Between two pings of the daemon during a call.', 'it is pinged'),
      bound(
        { MAX_UNANSWERED_PINGS },
        'times',
        'Pings that the daemon leaves without an answer, an interval each.',
        'DFP_DAEMON_UNREACHABLE',
      ),
      bound({ MAX_SOCKET_NOTE_BYTES }, 'bytes', 'The note of where a daemon listens.', 'it counts as none'),
      bound({ MAX_URL_CHARACTERS }, 'characters', 'A URL.', 'DFP_USAGE'),
      bound({ MAX_JOBS }, 'requests', '`--jobs`.', 'DFP_USAGE'),
      bound({ MAX_LISTED_URLS }, 'entries', 'URLs of `--input-file`.', 'DFP_USAGE'),
      bound({ MAX_LIST_BYTES }, 'bytes', 'The list of `--input-file`.', 'DFP_USAGE'),
      bound({ MAX_NETRC_BYTES }, 'bytes', 'A netrc file.', 'DFP_USAGE'),
      bound({ MAX_HEADERS }, 'headers', '`--header`.', 'DFP_USAGE'),
      bound({ MAX_HEADER_CHARACTERS }, 'characters', 'One `--header`.', 'DFP_USAGE'),
    ],
  },
];
