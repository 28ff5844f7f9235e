import { announcedPort, choice, count, duration, flag, ipAddress, path, rate, size } from '../key-kinds.js';
import { ignored, section } from '../key-spec.js';
import { DEFAULT_BANDWIDTH_LIMIT } from './bandwidth.js';

const server = section({
  ip: ipAddress({ meaning: 'Address that the upload gRPC service listens on.', otherwise: '0.0.0.0' }),
  port: announcedPort({ meaning: 'gRPC for other peers and the scheduler; also takes vortex.', default: 4000 }),
  caCert: path({
    meaning: 'Authorities that sign client certificates (PEM); makes clients present one.',
    otherwise: 'none',
  }),
  cert: path({ meaning: 'Certificate chain of the upload gRPC service (PEM).', otherwise: 'plain text' }),
  key: path({ meaning: 'Key of `upload.server.cert` (PEM).', otherwise: 'plain text' }),
  requestRateLimit: count(
    { meaning: 'Calls of other peers and the scheduler.', default: 400, whenReached: 'RESOURCE_EXHAUSTED' },
    { min: 1, max: 1_000_000, unit: 'calls per second' },
  ),
  requestBufferSize: ignored('calls beyond the rate are refused at once'),
});

const client = section({
  caCert: path({ meaning: "Authorities that sign other peers' upload services (PEM).", otherwise: 'none' }),
  cert: path({ meaning: 'Certificate chain shown to other peers (PEM).', otherwise: 'plain text' }),
  key: path({ meaning: 'Key of `upload.client.cert` (PEM).', otherwise: 'plain text' }),
});

export const upload = section({
  server,
  client,
  disableShared: flag({ meaning: "Announce that this node is nobody's parent.", default: false }),
  bandwidthLimit: rate({
    meaning: 'All uploads together. At or above the speed of the interface it has no effect: uploads go by sendfile.',
    default: DEFAULT_BANDWIDTH_LIMIT,
    formerName: 'rateLimit',
    reload: true,
    whenReached: 'uploads share it, by the route of `upload.limitedRoute`',
  }),
  perTaskBandwidthLimit: rate({
    meaning: 'Uploads of one task together.',
    otherwise: 'none',
    reload: true,
    whenReached: 'uploads of the task share it',
  }),
  perChildBandwidthLimit: rate({
    meaning: 'Uploads to one IP together.',
    otherwise: 'none',
    reload: true,
    whenReached: 'uploads to the IP share it',
  }),
  limitedRoute: choice(['copy', 'paced'], {
    meaning: 'How bytes travel while a limit is in force: `copy` through userspace, `paced` by sendfile in leases.',
    default: 'copy',
    reload: true,
  }),
  maxConcurrentTransfers: count(
    {
      meaning: 'Uploads at once; one that waits for the next block of a piece that arrives is one of them.',
      default: 1000,
      whenReached: 'further ones queue',
    },
    { min: 1, max: 1_000_000, unit: 'uploads' },
  ),
  maxConcurrentTransfersPerIP: count(
    { meaning: 'Uploads at once to one IP.', default: 100, whenReached: 'further ones to that IP queue' },
    { min: 1, max: 1_000_000, unit: 'uploads' },
  ),
  queueLength: count(
    { meaning: 'Uploads that wait for a slot.', default: 1000, whenReached: '429 with Retry-After; vortex: error' },
    { min: 0, max: 1_000_000, unit: 'uploads' },
  ),
  queueTimeout: duration({
    meaning: 'Wait for a slot.',
    default: '10s',
    whenReached: '429 with Retry-After; vortex: error',
  }),
  maxConnections: count(
    { meaning: 'Connections to the piece servers.', default: 8192, whenReached: 'new ones are closed' },
    { min: 1, max: 1_000_000, unit: 'connections' },
  ),
  maxConnectionsPerIP: count(
    {
      meaning: 'Connections of one IP to the piece servers.',
      default: 1024,
      whenReached: 'new ones of that IP are closed',
    },
    { min: 1, max: 1_000_000, unit: 'connections' },
  ),
  headerTimeout: duration({
    meaning: 'From the first byte of a request to the end of its head.',
    default: '10s',
    whenReached: 'the connection is closed',
  }),
  idleTimeout: duration({
    meaning: 'A connection between two requests.',
    default: '60s',
    whenReached: 'the connection is closed',
  }),
  minProgressTimeout: duration({
    meaning: 'A client takes fewer than `upload.minProgressSize` bytes in this time.',
    default: '30s',
    whenReached: 'the connection is closed',
  }),
  minProgressSize: size({ meaning: 'What a client must take within `upload.minProgressTimeout`.', default: '8KiB' }, 1),
  waitForPieceTimeout: duration({
    meaning: 'Wait of a request for a piece that is being downloaded here, and of an upload for the next block of one.',
    default: '30s',
    whenReached: '503; vortex: error; between two blocks the connection is closed',
  }),
  engineWorkers: count(
    { meaning: 'Threads that call sendfile.', otherwise: 'one for two processors, at least one' },
    { min: 1, max: 64, unit: 'threads' },
  ),
  dropBehind: flag({
    meaning:
      'What an upload had to read from the disk leaves the page cache after it, unless another upload of the task runs: for nodes whose memory is needed by others.',
    default: false,
  }),
});
