import type { LogLevel } from './key-kinds.js';
import type { FileConfig } from './schema.js';

/** `Type` with `Names` always there. */
type Filled<Type, Names extends keyof Type> = Omit<Type, Names> & {
  readonly [Name in Names]-?: NonNullable<Type[Name]>;
};

/** Where the schedulers come from. */
export type SchedulersFrom =
  | { readonly kind: 'static'; readonly addrs: readonly string[] }
  | { readonly kind: 'manager'; readonly addr: string }
  | { readonly kind: 'dynconfig'; readonly file: string }
  /** Only our own, at `scheduler.embedded`. */
  | { readonly kind: 'embedded' }
  /** Everything comes from origins. */
  | { readonly kind: 'none' };

/** How and where the daemon logs: flags and environment only, as in Dragonfly. */
export interface LogConfig {
  readonly level: LogLevel;
  /** Levels of single modules. */
  readonly levels: Readonly<Record<string, LogLevel>>;
  readonly dir: string;
  readonly maxFiles: number;
  readonly maxFileSizeBytes: number;
  /** To stdout instead of files. */
  readonly console: boolean;
}

/** Everything the daemon needs to know, from flags, environment, file and machine. Frozen, at every depth. */
export interface DaemonConfig extends Omit<
  FileConfig,
  'host' | 'download' | 'upload' | 'scheduler' | 'storage' | 'metrics' | 'health' | 'log'
> {
  /** The file it was read from; undefined: defaults. */
  readonly configFile: string | undefined;
  readonly host: Filled<FileConfig['host'], 'hostname' | 'ip'>;
  readonly download: Omit<FileConfig['download'], 'server' | 'originAllowList'> & {
    readonly server: Filled<FileConfig['download']['server'], 'socketPath'>;
    readonly originAllowList: readonly string[];
  };
  readonly upload: Omit<FileConfig['upload'], 'server' | 'engineWorkers'> & {
    readonly server: Filled<FileConfig['upload']['server'], 'ip'>;
    readonly engineWorkers: number;
  };
  readonly scheduler: Omit<FileConfig['scheduler'], 'embedded' | 'addrs'> & {
    readonly from: SchedulersFrom;
    readonly embedded: Filled<FileConfig['scheduler']['embedded'], 'enable' | 'ip'>;
  };
  readonly storage: Filled<FileConfig['storage'], 'dir'> & {
    readonly server: Filled<FileConfig['storage']['server'], 'ip'>;
  };
  readonly metrics: { readonly server: Filled<FileConfig['metrics']['server'], 'ip'> };
  readonly health: { readonly server: Filled<FileConfig['health']['server'], 'ip'> };
  readonly log: LogConfig;
  /** Started by dfget: everything on 127.0.0.1, and a port that is taken is replaced by a free one. */
  readonly isLoopbackOnly: boolean;
  /** For the log, once it runs: keys without effect, settings that cancel each other. */
  readonly warnings: readonly string[];
}

/** What flags and their environment variables may say; undefined: not said. */
export interface DaemonOverrides {
  /** From -c or DFDAEMON_CONFIG: must exist. */
  configFile?: string | undefined;
  /** From --dynconfig or DFDAEMON_DYNCONFIG: must exist. */
  dynconfigFile?: string | undefined;
  /** host:port each. */
  schedulers: readonly string[];
  aliveTimeMs?: number | undefined;
  isLoopbackOnly: boolean;
  logLevel: LogLevel;
  logDir?: string | undefined;
  logMaxFiles: number;
  logMaxFileSizeBytes: number;
  console: boolean;
}
