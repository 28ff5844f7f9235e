/** Every key of Dragonfly's dfdaemon.yaml (docs/WIRE.md 6.2) at its default, in the shape its own deployments use. */
export const DRAGONFLY_YAML = `
host:
  idc: ''
  location: 'cn|east'
  hostname: node-1
  ip: 10.1.2.3
  schedulerClusterID: 1
server:
  pluginDir: /usr/local/lib/dragonfly/plugins/dfdaemon
  cacheDir: /var/cache/dragonfly/dfdaemon
  adaptiveRateLimit:
    bucketCount: 50
    bucketInterval: 200ms
    cpuThreshold: 100
    memoryThreshold: 90
    shedCooldown: 5s
    collectInterval: 3s
download:
  server:
    socketPath: /var/run/dragonfly/dfdaemon.sock
    requestRateLimit: 400
    requestBufferSize: 50
  protocol: tcp
  bandwidthLimit: 50GB
  backToSourceBandwidthLimit: 50GB
  pieceTimeout: 360s
  collectedPieceTimeout: 360s
  concurrentPieceCount: 8
upload:
  server:
    ip: 0.0.0.0
    port: 4000
    requestRateLimit: 400
    requestBufferSize: 50
  client: {}
  disableShared: false
  bandwidthLimit: 50GB
manager:
  addr: http://manager.example.org:65003
scheduler:
  announceInterval: 300s
  scheduleTimeout: 3h
  maxScheduleCount: 5
seedPeer:
  enable: false
  type: normal
dynconfig:
  refreshInterval: 60s
storage:
  server:
    ip: 0.0.0.0
    tcpPort: 4005
    tcpFastopen: false
    quicPort: 4006
  dir: /var/lib/dragonfly/
  keep: false
  writePieceTimeout: 360s
  writeBufferSize: 512KiB
  readBufferSize: 512KiB
  cacheCapacity: 64MiB
backend:
  requestHeader:
    X-Team: images
  maxRetries: 1
  enableCacheTemporaryRedirect: true
  cacheTemporaryRedirectTTL: 600s
  putConcurrentChunkCount: 16
  putChunkSize: 8MiB
  putTimeout: 900s
  enableHickoryDNS: true
gc:
  interval: 900s
  policy:
    taskTTL: 30d
    persistentTaskTTL: 1d
    persistentCacheTaskTTL: 1d
    pageCacheIdleTimeout: 40m
    diskThreshold: 0
    diskHighThresholdPercent: 80
    diskLowThresholdPercent: 60
proxy:
  server:
    ip: 0.0.0.0
    port: 4001
    basicAuth:
      username: admin
      password: not-for-logs
  rules:
    - regex: blobs/sha256.*
  registryMirror:
    addr: https://index.docker.io
  prefetchBandwidthLimit: 10GB
security:
  enable: false
health:
  server:
    port: 4003
metrics:
  server:
    ip: 0.0.0.0
    port: 4002
stats:
  server:
    port: 4004
tracing:
  path: /v1/traces
  headers:
network:
  enableIPv6: false
`;
