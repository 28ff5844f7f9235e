/**
 * What Node is told when it runs a daemon; the script `bin/dfdaemon` says the same. A young generation of 3 × 4 MiB instead of 3 × 16
 * costs nothing measurable: an upload leaves so little behind that the rest would only stay resident. One helper thread for
 * collector and compiler instead of four: that many wake up for work that one does as well, which was a sixth of a paced upload's cost.
 * WebAssembly, in which undici parses HTTP, reserves 10 GB of addresses in each thread with its trap handler, up to 4 GB without, and no more
 * than 64 MiB when told that no memory has more pages than 1,024: where addresses are limited (`ulimit -v`) every download failed.
 */
export const DAEMON_NODE_OPTIONS: readonly string[] = [
  '--max-semi-space-size=4',
  '--v8-pool-size=1',
  '--disable-wasm-trap-handler',
  '--wasm-max-mem-pages=1024',
];
