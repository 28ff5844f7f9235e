import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import type { TlsFiles } from '../grpc/credentials.js';
import type { BlockList } from './block-list.js';
import { DynconfigSource } from './dynconfig-source.js';
import { ManagerSource } from './manager-source.js';
import type { Lookup, SchedulerAddress } from './scheduler-address.js';
import type { BuildDescription } from './host-message.js';
import type { HostDescription } from './scheduler-client.js';
import { StaticSource } from './static-source.js';

/** More are ignored, with a warning. */
export const MAX_SCHEDULERS = 256;

/** Where the addresses of the schedulers come from. */
export type SchedulerSourceConfig =
  /** host:port each; a name stands for all its addresses. */
  | { kind: 'static'; addrs: readonly string[] }
  /** A file in the form of Dragonfly's dynconfig.yaml. */
  | { kind: 'dynconfig'; file: string }
  /** A manager's address: host:port, with or without http:// or https://. */
  | { kind: 'manager'; addr: string; tls?: TlsFiles | undefined };

export interface SchedulerList {
  schedulers: SchedulerAddress[];
  /** Undefined when the source does not have one. */
  blockList?: BlockList | undefined;
}

export interface SchedulerSource {
  /** Asked at start and at each refresh. Rejects with a coded error; the last good list stays in force then. */
  list(signal: AbortSignal): Promise<SchedulerList>;
  close(): void;
}

export interface SourceOptions {
  host: HostDescription;
  build: BuildDescription;
  clock: Clock;
  lookup: Lookup;
  logger: Logger;
}

/** @throws DfpeerError (DFP_CONFIG) for an address that is none */
export function createSchedulerSource(config: SchedulerSourceConfig, options: SourceOptions): SchedulerSource {
  switch (config.kind) {
    case 'static':
      return new StaticSource(config.addrs, options);
    case 'dynconfig':
      return new DynconfigSource(config.file, options);
    case 'manager':
      return new ManagerSource(config, options);
  }
}
