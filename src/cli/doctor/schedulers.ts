import type { ChannelCredentials } from '@grpc/grpc-js';
import { counted } from '../../core/counted.js';
import { systemClock } from '../../core/clock.js';
import { withDeadline } from '../../core/deadline.js';
import { messageOf } from '../../core/errors.js';
import { silentLogger } from '../../core/logger.js';
import { loadChannelCredentials } from '../../grpc/credentials.js';
import { describeHost } from '../../peer/host-identity.js';
import { formatAddress, systemLookup, type SchedulerAddress } from '../../scheduler-client/scheduler-address.js';
import { SchedulerConnection } from '../../scheduler-client/scheduler-connection.js';
import { createSchedulerSource } from '../../scheduler-client/scheduler-source.js';
import type { DoctorContext, RunningDaemon } from './context.js';
import { findingsOf, type Finding } from './finding.js';

const found = findingsOf('schedulers');

/** Of each question asked of a scheduler or manager. */
export const SCHEDULER_CHECK_TIMEOUT_MS = 5_000;
/** A long list is checked in part. */
export const MAX_CHECKED_SCHEDULERS = 16;

/** Where the schedulers come from, and whether each of them answers. */
export async function checkSchedulers({ settings, running }: DoctorContext): Promise<Finding[]> {
  const { schedulers: source, embeddedScheduler } = settings;
  if (source === undefined) {
    if (running !== undefined && embeddedScheduler === undefined && running.schedulers.length > 0)
      return running.schedulers.map(tellOf);
    if (embeddedScheduler === undefined)
      return [
        found.warn('no scheduler: everything comes from origins', 'name one with scheduler.addrs or --scheduler'),
      ];
    const state = running === undefined ? 'will run with the daemon' : 'runs in the daemon';
    return [found.ok(`the embedded scheduler ${state}; other nodes join it with --scheduler`)];
  }
  let listed: SchedulerAddress[];
  try {
    listed = await listSchedulers(settings, source);
  } catch (error) {
    return [found.fail(`schedulers can't be listed: ${messageOf(error)}`, remedyFor(source.kind))];
  }
  const from = source.kind === 'manager' ? `the manager ${source.addr}` : `the configuration (${source.kind})`;
  if (listed.length === 0) return [found.fail(`${from} names no scheduler`, remedyFor(source.kind))];
  const named = found.ok(`${from} names ${counted(listed.length, 'scheduler')}`);
  // What is wrong with them is told by the check of the certificates.
  const credentials = await loadChannelCredentials(settings.schedulerClient.tls).catch(() => undefined);
  if (credentials === undefined)
    return [
      named,
      found.warn("schedulers were not asked: the certificates for them can't be used", 'mend those first'),
    ];
  const checked = listed.slice(0, MAX_CHECKED_SCHEDULERS);
  return [named, ...(await Promise.all(checked.map((address) => checkScheduler(address, credentials))))];
}

/** One that the running daemon was given by a flag or a file that this command does not know of. */
function tellOf({ address, healthy, lastError }: RunningDaemon['schedulers'][number]): Finding {
  const name = `the running daemon's scheduler ${address}`;
  return healthy
    ? found.ok(`${name} serves`)
    : found.fail(
        `${name} does not answer: ${lastError}`,
        'check that it runs and can be reached; give this command the flags of the daemon to have it tried from here',
      );
}

async function listSchedulers(
  settings: DoctorContext['settings'],
  source: NonNullable<DoctorContext['settings']['schedulers']>,
): Promise<SchedulerAddress[]> {
  const from = createSchedulerSource(source, {
    host: describeHost(settings).description,
    build: { version: settings.version },
    clock: systemClock,
    lookup: systemLookup,
    logger: silentLogger,
  });
  try {
    const waitingFor = source.kind === 'manager' ? `manager ${source.addr}` : 'the list of schedulers';
    const work = (signal: AbortSignal): ReturnType<typeof from.list> => from.list(signal);
    return (await withDeadline({ waitingFor, timeoutMs: SCHEDULER_CHECK_TIMEOUT_MS }, work)).schedulers;
  } finally {
    from.close();
  }
}

async function checkScheduler(address: SchedulerAddress, credentials: ChannelCredentials): Promise<Finding> {
  const name = formatAddress(address);
  const connection = new SchedulerConnection(address, credentials);
  try {
    const startedMs = performance.now();
    await withDeadline({ waitingFor: `scheduler ${name}`, timeoutMs: SCHEDULER_CHECK_TIMEOUT_MS }, (signal) =>
      connection.checkHealth(signal),
    );
    return found.ok(`scheduler ${name} serves (answered in ${Math.round(performance.now() - startedMs)} ms)`);
  } catch (error) {
    return found.fail(
      // The message begins with the question, which nobody has asked for.
      `scheduler ${name} does not answer: ${messageOf(error).replace(/^Check to scheduler \S+: /, '')}`,
      'check that it runs, that this address and port are its own, and that no firewall is between',
    );
  } finally {
    connection.close();
  }
}

function remedyFor(kind: 'static' | 'dynconfig' | 'manager'): string {
  switch (kind) {
    case 'manager':
      return 'check manager.addr (its gRPC port, 65003), that it runs, and that it has active schedulers';
    case 'dynconfig':
      return 'check the dynconfig file';
    case 'static':
      return 'check scheduler.addrs, and that its names resolve';
  }
}
