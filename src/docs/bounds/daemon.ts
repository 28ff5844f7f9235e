import { DEFAULT_LOG_MAX_FILES, MAX_LOG_FILES } from '../../cli/dfdaemon-options.js';
import { DEFAULT_TIMEOUT_MS } from '../../cli/dfget-options.js';
import { START_TIMEOUT_MS } from '../../cli/daemon-connection.js';
import { MAX_HEADER_CHARACTERS, MAX_HEADERS } from '../../cli/http-flags.js';
import { LOG_FLUSH_TIMEOUT_MS, MAX_BUFFERED_LOG_BYTES } from '../../cli/log-destination.js';
import { MAX_URL_CHARACTERS } from '../../cli/source-url.js';
import { DRAIN_TIMEOUT_MS } from '../../cli/to-settings.js';
import { MAX_REPORTED_ISSUES } from '../../config/config-error.js';
import { MAX_CONFIG_BYTES } from '../../config/config-file.js';
import { MAX_ENTRIES } from '../../config/key-kinds.js';
import { MAX_ALIAS_COUNT } from '../../config/yaml-document.js';
import { MAX_REDACT_DEPTH, MAX_REDACT_ENTRIES } from '../../core/redact.js';
import { MAX_SOCKET_PATH_BYTES } from '../../core/socket-path.js';
import { MAX_ORIGIN_DETAILS_BYTES } from '../../grpc/origin-details.js';
import { DEFAULT_GRPC_SERVER_LIMITS } from '../../grpc/server.js';
import { GRPC_STOP_GRACE_MS } from '../../peer/grpc-servers.js';
import { STREAM_WRITE_TIMEOUT_MS } from '../../peer/grpc/handlers.js';
import { MAX_INTERESTED_PIECES } from '../../peer/grpc/sync-pieces.js';
import { MAX_OPERATIONS_CONNECTIONS, REQUEST_TIMEOUT_MS } from '../../peer/operations-server.js';
import { STEP_TIMEOUT_MS } from '../../peer/shutdown.js';
import { MAX_LISTENERS } from '../../peer/store/stored-task.js';
import { MAX_QUARANTINED_FILES } from '../../peer/store/task-files.js';
import { DEFAULT_MAX_IDLE_FILES } from '../../peer/store/task-store.js';
import { bound, type BoundGroup } from './fixed-bound.js';

const { maxConnections, maxStreamsPerConnection, maxMessageBytes, connectionIdleMs, keepaliveTimeoutMs } =
  DEFAULT_GRPC_SERVER_LIMITS;

/** src/grpc, src/peer, src/config and src/cli. */
export const DAEMON_BOUNDS: readonly BoundGroup[] = [
  {
    title: 'gRPC servers',
    bounds: [
      bound({ maxConnections }, 'connections', 'Connections of one server.', 'new ones are closed, with a warning'),
      bound({ maxStreamsPerConnection }, 'requests', 'Calls at once on one connection.', 'further ones wait (HTTP/2)'),
      bound({ maxMessageBytes }, 'bytes', 'One message.', 'RESOURCE_EXHAUSTED'),
      bound({ connectionIdleMs }, 'ms', 'A connection without a call.', 'it is closed'),
      bound({ keepaliveTimeoutMs }, 'ms', "A silent connection's answer to a ping.", 'it is closed'),
      bound({ STREAM_WRITE_TIMEOUT_MS }, 'ms', 'A client that reads nothing of its stream.', 'the stream is ended'),
      bound(
        { MAX_ORIGIN_DETAILS_BYTES },
        'bytes',
        "An origin's refusal in an error.",
        'its further headers are left out',
      ),
      bound({ MAX_INTERESTED_PIECES }, 'pieces', 'Pieces named in one SyncPieces request.', 'INVALID_ARGUMENT'),
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
      bound({ MAX_LISTENERS }, 'entries', 'Clients, children and uploads waiting on one task.', 'DFP_LIMIT'),
      bound({ MAX_QUARANTINED_FILES }, 'files', 'Damaged files kept for inspection.', 'the oldest are removed'),
    ],
  },
  {
    title: 'Metrics and health',
    bounds: [
      bound(
        { MAX_OPERATIONS_CONNECTIONS },
        'connections',
        'Connections of one of these servers.',
        'new ones are closed',
      ),
      bound({ REQUEST_TIMEOUT_MS }, 'ms', 'A request and its head.', '408, the connection is closed'),
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
      bound({ MAX_ENTRIES }, 'entries', 'Entries of a list or mapping.', 'DFP_CONFIG'),
      bound({ MAX_REPORTED_ISSUES }, 'entries', 'Errors of a file that are listed.', 'the rest is counted'),
      bound({ MAX_SOCKET_PATH_BYTES }, 'bytes', "A unix socket's path.", 'DFP_CONFIG'),
      bound({ MAX_LOG_FILES }, 'files', '`--log-max-files`.', 'DFP_USAGE'),
      bound({ DEFAULT_LOG_MAX_FILES }, 'files', 'Log files kept by default.', 'the oldest is removed'),
      bound({ MAX_BUFFERED_LOG_BYTES }, 'bytes', 'Log that waits for a slow disk.', 'further lines are dropped'),
      bound({ LOG_FLUSH_TIMEOUT_MS }, 'ms', 'Writing the log at the end.', 'the rest is lost'),
      bound({ MAX_REDACT_DEPTH }, 'entries', 'Depth of what a log line shows.', 'cut'),
      bound({ MAX_REDACT_ENTRIES }, 'entries', 'Entries of what a log line shows.', 'cut'),
    ],
  },
  {
    title: 'dfget',
    bounds: [
      bound({ DEFAULT_TIMEOUT_MS }, 'ms', 'A download, unless `--timeout` says otherwise.', 'DFP_DEADLINE'),
      bound({ START_TIMEOUT_MS }, 'ms', 'Starting a daemon in the background.', 'DFP_DAEMON_UNREACHABLE'),
      bound({ MAX_URL_CHARACTERS }, 'characters', 'A URL.', 'DFP_USAGE'),
      bound({ MAX_HEADERS }, 'headers', '`--header`.', 'DFP_USAGE'),
      bound({ MAX_HEADER_CHARACTERS }, 'characters', 'One `--header`.', 'DFP_USAGE'),
    ],
  },
];
