import { section, type SectionConfig } from './key-spec.js';
import { dynconfig, manager, scheduler, seedPeer } from './sections/cluster.js';
import { download } from './sections/download.js';
import { host, network, server } from './sections/host.js';
import { health, log, metrics, proxy, security, stats, status, statusPage, tracing } from './sections/services.js';
import { backend, gc, storage } from './sections/storage.js';
import { upload } from './sections/upload.js';

/** dfdaemon.yaml: Dragonfly's keys with their names, meanings and defaults (docs/WIRE.md 6.2), and ours. */
export const DAEMON_SCHEMA = section({
  host,
  server,
  download,
  upload,
  manager,
  scheduler,
  seedPeer,
  dynconfig,
  storage,
  backend,
  gc,
  proxy,
  security,
  health,
  metrics,
  stats,
  status,
  statusPage,
  log,
  tracing,
  network,
});

/** The file's content with defaults: sizes in bytes, rates in bytes per second, durations in milliseconds. */
export type FileConfig = SectionConfig<(typeof DAEMON_SCHEMA)['keys']>;
