import type { DaemonConfig, DaemonOverrides } from '../config/daemon-config.js';
import { mergeReloaded } from '../config/reload.js';
import { resolveDaemonConfig } from '../config/resolve.js';
import { toDfpeerError } from '../core/errors.js';
import { formatHostPort } from '../core/host-port.js';
import { inTurn } from '../core/in-turn.js';
import type { Logger } from '../core/logger.js';
import { Daemon } from '../peer/daemon.js';
import { EXIT_CODES } from './exit-codes.js';
import { Hangups } from './hangups.js';
import { openLog, type Log } from './log.js';
import { ServiceManager } from './service-manager.js';
import { toGcSettings, toLimits, toSettings } from './to-settings.js';

/** Flags → configuration → daemon, then signals until the end. Resolves with the exit code. */
export async function runDaemon(overrides: DaemonOverrides, version: string): Promise<number> {
  const config = await resolveDaemonConfig(overrides);
  const log = await openLog({ ...config.log, name: 'dfdaemon' });
  try {
    return await run(overrides, config, version, log);
  } finally {
    await log.close();
  }
}

async function run(overrides: DaemonOverrides, config: DaemonConfig, version: string, log: Log): Promise<number> {
  const { logger } = log;
  // From here on: a signal during the start must not end the process half-way.
  const ended = nextSignal(['SIGTERM', 'SIGINT']);
  const hangups = new Hangups();
  const daemon = await Daemon.start(toSettings(config, version), logger).catch((error: unknown) => {
    const { code, message } = toDfpeerError(error);
    // A stack tells an operator nothing; of a bug it is all there is.
    const details = code === 'DFP_INTERNAL' ? { err: error } : { code };
    logger.error(details, `dfdaemon could not start: ${message}`);
    throw error;
  });
  const manager = new ServiceManager({ logger });
  announceReady(daemon, config, logger);
  manager.ready(readyStatus(daemon, config));
  hangups.listen(reloader(overrides, config, daemon, { ...log, manager }));
  const reason = await Promise.race([ended, daemon.idle.then(() => 'idle')]);
  logger.info({ reason }, 'stopping');
  manager.stopping(reason);
  hangups.ignore();
  await daemon.stop();
  manager.close();
  logger.info({}, 'stopped');
  return EXIT_CODES.ok;
}

function announceReady(daemon: Daemon, config: DaemonConfig, logger: Logger): void {
  const { ports } = daemon;
  logger.info(
    { ports, ip: config.host.ip, socket: config.download.server.socketPath, config: config.configFile ?? 'defaults' },
    'ready',
  );
  // On a terminal somebody wants to know where the log went and how others join.
  if (!process.stderr.isTTY || config.log.console) return;
  const join =
    ports.scheduler === undefined
      ? ''
      : `\nanother node joins with: dfdaemon --scheduler ${formatHostPort(config.host.ip, ports.scheduler)}`;
  process.stderr.write(
    `dfdaemon is ready: pieces on ${formatHostPort(config.host.ip, ports.http)}, metrics on port ${ports.metrics}, log in ${config.log.dir}${join}\n`,
  );
}

/** One line for `systemctl status`. */
function readyStatus({ ports }: Daemon, { host }: DaemonConfig): string {
  return `ready: pieces on ${formatHostPort(host.ip, ports.http)}, metrics on port ${ports.metrics}`;
}

/** What a SIGHUP does: reads the configuration again and takes over what can change; a bad file changes nothing. */
function reloader(
  overrides: DaemonOverrides,
  initial: DaemonConfig,
  daemon: Daemon,
  { logger, setLevels, reopen, manager }: Pick<Log, 'logger' | 'setLevels' | 'reopen'> & { manager: ServiceManager },
): () => void {
  let running = initial;
  let { configFile: file, warnings } = initial;
  // Two that read at once could end in either order, and the older configuration hold.
  const reload = inTurn(async () => {
    const read = await resolveDaemonConfig(overrides);
    if (file !== undefined && read.configFile === undefined)
      logger.warn({ file }, 'the configuration file is gone: defaults hold now, of limits too; put it back and reload');
    file = read.configFile ?? file;
    for (const warning of read.warnings) if (!warnings.includes(warning)) logger.warn({}, warning);
    ({ warnings } = read);
    const { config, changed, needRestart } = mergeReloaded(running, read);
    const undone = daemon.setLimits(toLimits(config));
    daemon.setLimitedRoute(config.upload.limitedRoute);
    daemon.setGc(toGcSettings(config));
    setLevels(config.log.level, config.log.levels);
    running = config;
    logger.info(
      { changed, needRestart, ...(undone.length === 0 ? {} : { limitsNoLongerAsSetAtRunTime: undone }) },
      needRestart.length === 0 ? 'configuration reloaded' : 'configuration reloaded; some keys need a restart',
    );
  });
  return () => {
    manager.reloading();
    reopen();
    reload()
      .catch((error: unknown) =>
        logger.error({ err: error }, 'the configuration could not be reloaded; the old one stays in force'),
      )
      .finally(() => manager.ready(readyStatus(daemon, running)));
  };
}

/** The first one starts the drain; a second one ends the process at once, as everywhere. */
async function nextSignal(signals: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const onSignal = (signal: NodeJS.Signals): void => {
      // Also those of the other signals: what nobody listens to does what it does everywhere.
      for (const each of signals) process.off(each, onSignal);
      resolve(signal);
    };
    for (const signal of signals) process.on(signal, onSignal);
  });
}
