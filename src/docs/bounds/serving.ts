import {
  DEFAULT_MAX_ENGINE_QUEUE,
  MAX_HEAD_BYTES,
  MAX_WORKER_DEATHS_IN_A_ROW,
  SLOTS_PER_WORKER,
  WORKER_REST_MS,
} from '../../../native/index.js';
import { DEFAULT_UPLOAD_BOUNDS } from '../../upload/bounds.js';
import {
  DEFAULT_ANSWER_TIMEOUT_MS,
  MAX_PIPELINED_REQUESTS,
  MAX_REQUEST_HEAD_BYTES,
  MAX_REQUEST_HEADERS,
} from '../../upload/http/server.js';
import { MAX_LIMITER_WAITERS } from '../../bandwidth/bandwidth-limiter.js';
import { MAX_TASK_LABELS } from '../../upload/metrics.js';
import { MAX_COPY_BUFFER_BYTES } from '../../upload/transfer/buffer-pool.js';
import { MAX_PACED_INLINE_BYTES, MAX_PACED_QUANTUM_BYTES } from '../../upload/transfer/engine-route.js';
import { UNSENT_LIMIT_BYTES } from '../../upload/unsent-limit.js';
import { MAX_VALUE_LENGTH } from '../../vortex/packets.js';
import { MAX_BYTES_AFTER_REQUEST } from '../../upload/vortex/request-reader.js';
import { DEFAULT_SNIFF_TIMEOUT_MS } from '../../upload/vortex/sniff.js';
import { bound, type BoundGroup } from './fixed-bound.js';

const { copyMemoryBytes, maxWaitingForPiece, vortexLingerTimeoutMs, vortexRequestTimeoutMs } = DEFAULT_UPLOAD_BOUNDS;

/** src/upload and native. */
export const SERVING_BOUNDS: readonly BoundGroup[] = [
  {
    title: 'Serving pieces over HTTP',
    bounds: [
      bound({ MAX_REQUEST_HEAD_BYTES }, 'bytes', 'Head of a request.', '431, the connection is closed'),
      bound({ MAX_REQUEST_HEADERS }, 'headers', 'Headers of a request.', 'further ones are ignored'),
      bound(
        { MAX_PIPELINED_REQUESTS },
        'requests',
        'Requests of one connection before the first is answered.',
        'the connection is closed',
      ),
      bound(
        { DEFAULT_ANSWER_TIMEOUT_MS },
        'ms',
        'A short answer (an error, a HEAD) that the client does not take.',
        'the connection is closed',
      ),
      bound(
        { maxWaitingForPiece },
        'requests',
        'Requests that wait for bytes still being downloaded here.',
        '429 with Retry-After; vortex: error',
      ),
    ],
  },
  {
    title: 'Serving pieces over vortex',
    bounds: [
      bound({ vortexRequestTimeoutMs }, 'ms', 'The request of a new connection.', 'the connection is closed'),
      bound({ MAX_VALUE_LENGTH }, 'bytes', 'Value of a packet that is no piece content.', 'error, connection closed'),
      bound({ MAX_BYTES_AFTER_REQUEST }, 'bytes', 'Bytes sent after the request.', 'the connection is closed'),
      bound(
        { vortexLingerTimeoutMs },
        'ms',
        "The client's half of a connection after ours is closed.",
        'the connection is closed',
      ),
      bound(
        { DEFAULT_SNIFF_TIMEOUT_MS },
        'ms',
        'The first bytes on `upload.server.port`, which tell gRPC from vortex.',
        'the connection is closed',
      ),
    ],
  },
  {
    title: 'Moving bytes',
    bounds: [
      bound(
        { copyMemoryBytes },
        'bytes',
        'Buffers of the copy route together.',
        'each further transfer uses its smallest buffer',
      ),
      bound({ MAX_COPY_BUFFER_BYTES }, 'bytes', 'Buffer of one transfer on the copy route.', 'never more'),
      bound(
        { MAX_PACED_INLINE_BYTES },
        'bytes',
        'A lease of the paced route that the main thread spends itself.',
        'a worker spends larger ones',
      ),
      bound(
        { UNSENT_LIMIT_BYTES },
        'bytes',
        'What the kernel holds of an upload, beyond what is on its way to the client.',
        'the connection takes more when half of it has gone',
      ),
      bound({ MAX_LIMITER_WAITERS }, 'requests', 'Requests that wait for one limiter.', 'DFP_LIMIT'),
      bound({ MAX_PACED_QUANTUM_BYTES }, 'bytes', 'One lease on the paced route.', 'never more'),
      bound({ SLOTS_PER_WORKER }, 'transfers', 'Transfers of one engine worker.', 'further ones wait for a slot'),
      bound(
        { DEFAULT_MAX_ENGINE_QUEUE },
        'transfers',
        'Transfers that wait for a slot of the engine.',
        'further ones take the copy route',
      ),
      bound(
        { MAX_HEAD_BYTES },
        'bytes',
        'Response head that the engine sends with the bytes.',
        'a longer one is written before',
      ),
      bound(
        { MAX_WORKER_DEATHS_IN_A_ROW },
        'times',
        'Engine workers that die with no transfer finishing in between.',
        'no new worker for a while: uploads take the copy route',
      ),
      bound(
        { WORKER_REST_MS },
        'ms',
        'Time without a new engine worker after so many have died.',
        'another one is tried',
      ),
      bound(
        { MAX_TASK_LABELS },
        'entries',
        'Pairs of tag and application with metric series of their own.',
        'the others count as `other`',
      ),
    ],
  },
];
