import { duration, count, ipAddress, originHeaders, path, percent, port, size } from '../key-kinds.js';
import { ignored, section } from '../key-spec.js';

export const storage = section({
  server: section({
    ip: ipAddress({ meaning: 'Address that the piece servers listen on.', otherwise: '0.0.0.0' }),
    tcpPort: port({ meaning: 'Pieces by vortex over TCP.', default: 4005 }),
    tcpFastopen: ignored('Node.js does not offer it'),
    quicPort: ignored('pieces travel over TCP; children that are set to QUIC find vortex on `upload.server.port`'),
    httpPort: port({ meaning: 'Pieces and whole tasks by HTTP.', default: 4007 }),
  }),
  dir: path({
    meaning: 'Where tasks are stored.',
    otherwise: '/var/lib/dragonfly as root, in the data directory of the user otherwise',
  }),
  keep: ignored('what was verified is always kept over a restart'),
  writePieceTimeout: ignored('a piece is bounded by `download.pieceTimeout`'),
  writeBufferSize: ignored('buffers are sized by what is received'),
  readBufferSize: ignored('uploads use sendfile, or buffers sized by the limit'),
  cacheCapacity: ignored("the kernel's page cache serves"),
});

export const backend = section({
  caCert: path({
    meaning:
      "Authorities that sign the certificates of https origins and proxies (PEM), beside the system's. A changed file counts within a minute.",
    otherwise: "the system's alone",
  }),
  requestHeader: originHeaders({
    meaning: 'Headers added to every request to an origin; what a download itself sets wins.',
    otherwise: 'none',
  }),
  maxRetries: count(
    {
      meaning:
        'Attempts after the first one for a piece from an origin, with pauses of about 0.2, 0.4, 0.8, … 5 s. Refusals such as 404 are not tried again; those while it gives other pieces, or others of this node are asking (429, 503), do not count, but bring down how much is asked at once; 429, or a time to come back, is good for 30 s of attempts. Dragonfly tries once more; three outlast an origin that restarts or sheds load for a second.',
      default: 3,
      whenReached: 'the download fails',
    },
    { min: 0, max: 100, unit: 'times' },
  ),
  enableCacheTemporaryRedirect: ignored('redirects are followed anew for every request'),
  cacheTemporaryRedirectTTL: ignored('redirects are followed anew for every request'),
  putConcurrentChunkCount: ignored('dfpeer writes to no origin'),
  putChunkSize: ignored('dfpeer writes to no origin'),
  putTimeout: ignored('dfpeer writes to no origin'),
  enableHickoryDNS: ignored("names are resolved by the system's resolver"),
});

const policy = section(
  {
    taskTTL: duration({
      meaning: 'Age at which a task that nobody used is removed.',
      default: '30d',
      reload: true,
      whenReached: 'the task is removed, unless in use',
    }),
    persistentTaskTTL: ignored('dfpeer has no persistent tasks'),
    persistentCacheTaskTTL: ignored('dfpeer has no persistent cache tasks'),
    pageCacheIdleTimeout: ignored('the kernel decides what stays in its page cache'),
    diskThreshold: size({
      meaning: 'Bytes that stored tasks may take; 0: what they take now and what the file system has free.',
      default: 0,
      formerName: 'distThreshold',
      reload: true,
      whenReached: 'tasks are removed by the two percentages below',
    }),
    diskHighThresholdPercent: percent({
      meaning: 'Share of `diskThreshold` above which the least recently used tasks are removed.',
      default: 80,
      formerName: 'distHighThresholdPercent',
      reload: true,
      whenReached: 'least recently used tasks are removed, unless in use',
    }),
    diskLowThresholdPercent: percent({
      meaning: 'Share of `diskThreshold` at which removing ends.',
      default: 60,
      formerName: 'distLowThresholdPercent',
      reload: true,
    }),
  },
  ({ diskHighThresholdPercent: high, diskLowThresholdPercent: low }) =>
    high >= low
      ? undefined
      : `expected diskHighThresholdPercent at or above diskLowThresholdPercent, found ${high} and ${low}`,
);

export const gc = section({
  interval: duration({ meaning: 'Time between two garbage collections.', default: '900s', reload: true }),
  policy,
});
