/** Of every channel to a scheduler, manager, peer, or a daemon on this host: who calls repeats calls himself. */
export const WITHIN_CLUSTER = {
  // A proxy for the outside world must not see the cluster's traffic.
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
} as const;
