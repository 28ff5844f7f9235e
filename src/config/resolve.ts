import { availableParallelism } from 'node:os';
import { readConfigText } from './config-file.js';
import type { DaemonConfig, DaemonOverrides, SchedulersFrom } from './daemon-config.js';
import { parseDynconfig } from './dynconfig.js';
import { detectIp, type HostFacts, readHostFacts } from './host-defaults.js';
import { isLogModule, LOG_MODULES } from './log-modules.js';
import { parseDaemonConfig, type LoadedConfig } from './load.js';
import { checkSocketPath, findPlaces, type Places } from './places.js';
import type { FileConfig } from './schema.js';
import { describeIneffectiveKeys } from './unknown-keys.js';

const LOOPBACK = '127.0.0.1';

/** The machine, replaceable in tests. */
export interface ResolveInputs {
  places?: Places;
  facts?: HostFacts;
  processors?: number;
}

/**
 * Flags and environment over file over defaults. Reads the files; call it again on SIGHUP and hand both results to
 * `mergeReloaded`.
 * @throws DfpeerError (DFP_CONFIG) that names file, line, column and key where it can
 */
export async function resolveDaemonConfig(
  overrides: DaemonOverrides,
  inputs: ResolveInputs = {},
): Promise<DaemonConfig> {
  const { places = findPlaces(), facts = readHostFacts(), processors = availableParallelism() } = inputs;
  const { file, loaded } = await loadFile(overrides, places);
  const { from, warnings } = await chooseSchedulers(overrides, loaded.config, places);
  const ineffective = describeIneffectiveKeys(loaded.ineffective, file ?? '');
  return deepFreeze({
    ...fillMachine(loaded.config, overrides, { places, facts, processors, from }),
    configFile: file,
    log: {
      level: overrides.logLevel,
      levels: loaded.config.log.levels ?? {},
      dir: overrides.logDir ?? places.logDir,
      maxFiles: overrides.logMaxFiles,
      maxFileSizeBytes: overrides.logMaxFileSizeBytes,
      console: overrides.console,
    },
    isLoopbackOnly: overrides.isLoopbackOnly,
    warnings: [
      ...(ineffective === undefined ? [] : [ineffective]),
      ...warnings,
      ...tracingWarnings(loaded.config),
      ...levelWarnings(loaded.config),
    ],
  });
}

async function loadFile(
  { configFile }: DaemonOverrides,
  places: Places,
): Promise<{ file: string | undefined; loaded: LoadedConfig }> {
  const file = configFile ?? places.configFile;
  const text = configFile === undefined ? await readConfigText(file, true) : await readConfigText(file);
  return { file: text === undefined ? undefined : file, loaded: parseDaemonConfig(text ?? '', file) };
}

/** --scheduler, scheduler.addrs, manager.addr, dynconfig file, embedded: the first that is there. */
async function chooseSchedulers(
  overrides: DaemonOverrides,
  { scheduler, manager }: FileConfig,
  places: Places,
): Promise<{ from: SchedulersFrom; warnings: string[] }> {
  const { dynconfigFile, schedulers } = overrides;
  const addrs = schedulers.length > 0 ? schedulers : (scheduler.addrs ?? []);
  const fixed: SchedulersFrom | undefined =
    addrs.length > 0
      ? { kind: 'static', addrs }
      : manager.addr === undefined
        ? undefined
        : { kind: 'manager', addr: manager.addr };
  if (fixed !== undefined) {
    const winner = fixed.kind === 'static' ? 'scheduler addresses are given' : 'manager.addr is set';
    return { from: fixed, warnings: dynconfigFile === undefined ? [] : [`${dynconfigFile} is not read: ${winner}`] };
  }
  const file = dynconfigFile ?? places.dynconfigFile;
  const text = dynconfigFile === undefined ? await readConfigText(file, true) : await readConfigText(file);
  if (text !== undefined) {
    parseDynconfig(text, file);
    return { from: { kind: 'dynconfig', file }, warnings: [] };
  }
  return { from: { kind: scheduler.embedded.enable === false ? 'none' : 'embedded' }, warnings: [] };
}

interface Machine {
  places: Places;
  facts: HostFacts;
  processors: number;
  from: SchedulersFrom;
}

/** Fills in what depends on the machine and on the kind of start. */
function fillMachine(config: FileConfig, overrides: DaemonOverrides, { places, facts, processors, from }: Machine) {
  const { host, download, upload, storage, scheduler, network } = config;
  const anywhere = network.enableIPv6 ? '::' : '0.0.0.0';
  const listenOn = (ip: string | undefined): string => (overrides.isLoopbackOnly ? LOOPBACK : (ip ?? anywhere));
  const listening = <Server extends { ip?: string | undefined }>(server: Server): Server & { ip: string } => ({
    ...server,
    ip: listenOn(server.ip),
  });
  return {
    ...config,
    host: {
      ...host,
      hostname: host.hostname ?? facts.hostname,
      ip: overrides.isLoopbackOnly ? LOOPBACK : (host.ip ?? detectIp(facts, network.enableIPv6)),
    },
    download: {
      ...download,
      server: { ...download.server, socketPath: socketPath(config, places) },
      aliveTimeMs: overrides.aliveTimeMs ?? download.aliveTimeMs,
      originAllowList: download.originAllowList ?? [],
    },
    upload: {
      ...upload,
      server: listening(upload.server),
      engineWorkers: upload.engineWorkers ?? Math.max(1, Math.floor(processors / 2)),
    },
    scheduler: {
      ...scheduler,
      from,
      embedded: { ...listening(scheduler.embedded), enable: scheduler.embedded.enable ?? from.kind === 'embedded' },
    },
    storage: { ...storage, dir: storage.dir ?? places.dataDir, server: listening(storage.server) },
    metrics: { server: listening(config.metrics.server) },
    health: { server: listening(config.health.server) },
  };
}

function tracingWarnings({ tracing: { protocol, endpoint } }: FileConfig): string[] {
  if (protocol === 'grpc') return ['no traces are sent: tracing.protocol must be http or https, not grpc'];
  if (protocol !== undefined || endpoint === undefined) return [];
  return ['no traces are sent: tracing.endpoint is set, but tracing.protocol says neither http nor https'];
}

function levelWarnings({ log }: FileConfig): string[] {
  const unknown = Object.keys(log.levels ?? {}).filter((name) => !isLogModule(name));
  if (unknown.length === 0) return [];
  return [`log.levels names no module of ours with ${unknown.join(', ')}; there are ${LOG_MODULES.join(', ')}`];
}

function socketPath(config: FileConfig, places: Places): string {
  const configured = config.download.server.socketPath;
  return configured === undefined
    ? checkSocketPath(places.socketPath, places.kind === 'home' ? 'DFPEER_HOME' : 'the default socket')
    : checkSocketPath(configured, 'download.server.socketPath');
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
