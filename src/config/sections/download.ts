import { cidrs, count, duration, fileMode, path, rate, size, text } from '../key-kinds.js';
import { ignored, section } from '../key-spec.js';
import { DEFAULT_BANDWIDTH_LIMIT } from './bandwidth.js';

const server = section({
  socketPath: path({
    meaning: 'Unix socket for dfget and for administration, at most 107 bytes.',
    otherwise: '/var/run/dragonfly/dfdaemon.sock as root, in the runtime directory of the user otherwise',
  }),
  socketMode: fileMode(['0600', '0660', '0666'], {
    meaning:
      'Who may connect to the unix socket: 0600 only root and the user of the daemon, 0660 also `socketGroup`, 0666 every user of the host. Output files are written for root and the user of the daemon only; others get the bytes through the socket.',
    default: '0600',
  }),
  socketGroup: text({
    meaning: 'Group of the unix socket: a name of /etc/group, or a number.',
    otherwise: "the daemon's own group",
  }),
  requestRateLimit: count(
    {
      meaning: 'Calls on the unix socket.',
      default: 400,
      whenReached: 'RESOURCE_EXHAUSTED',
    },
    { min: 1, max: 1_000_000, unit: 'calls per second' },
  ),
  requestBufferSize: ignored('calls beyond the rate are refused at once'),
});

export const download = section({
  server,
  protocol: ignored('each parent says what it speaks: HTTP or vortex over TCP'),
  bandwidthLimit: rate({
    meaning:
      'All downloads together, from parents and origins. At or above the speed of the interface it has no effect.',
    default: DEFAULT_BANDWIDTH_LIMIT,
    formerName: 'rateLimit',
    reload: true,
    whenReached: 'downloads wait for their turn',
  }),
  backToSourceBandwidthLimit: rate({
    meaning: 'Downloads from origins, in addition to `download.bandwidthLimit`.',
    default: DEFAULT_BANDWIDTH_LIMIT,
    reload: true,
    whenReached: 'downloads from origins wait for their turn',
  }),
  pieceTimeout: duration({
    meaning: 'One piece, from the request to the last byte.',
    default: '360s',
    whenReached: 'the piece is asked of another parent or of the origin',
  }),
  collectedPieceTimeout: duration({
    meaning: 'Parents are known, but none offers what is missing and nothing moves.',
    default: '360s',
    whenReached: 'other parents are asked for, then the origin',
  }),
  idleTimeout: duration({
    meaning: 'No byte of a piece arrives.',
    default: '30s',
    whenReached: 'the piece is asked of another parent or of the origin',
  }),
  concurrentPieceCount: count(
    {
      meaning: 'Pieces of one task in flight.',
      default: 8,
      whenReached: 'further pieces wait',
    },
    { min: 1, max: 1024, unit: 'pieces' },
  ),
  maxConcurrentTasks: count(
    {
      meaning: 'Tasks being downloaded at once.',
      default: 256,
      whenReached: 'further downloads fail with DFP_LIMIT',
    },
    { min: 1, max: 65536, unit: 'tasks' },
  ),
  smallTaskSize: size({
    meaning: 'Tasks up to this size come straight from the origin, without asking the scheduler.',
    default: '4MiB',
  }),
  aliveTime: duration({
    meaning: 'Time without a download, an upload or a client after which the daemon ends by itself.',
    otherwise: 'never; 5m when dfget started it',
  }),
  originAllowList: cidrs({
    meaning:
      'Private, loopback and link-local networks or addresses whose origins requests from the network (not from the unix socket) may name.',
    otherwise: 'none',
  }),
});
