import type { DaemonConfig } from '../../config/daemon-config.js';
import { hasCode, messageOf } from '../../core/errors.js';
import type { GetDaemonResponse__Output } from '../../generated/dfpeer/v1/GetDaemonResponse.js';
import type { DaemonSettings } from '../../peer/daemon-settings.js';
import { readSocketNote } from '../../peer/socket-note.js';
import { ADMIN, callAdmin } from '../admin-client.js';
import { findListening } from '../daemon-connection.js';

/** What the checks look at. */
export interface DoctorContext {
  config: DaemonConfig;
  settings: DaemonSettings;
  /** Our own daemon, when one answers on the configured socket. */
  running: RunningDaemon | undefined;
  /** Somebody listens there and gives no answer. */
  silent: SilentDaemon | undefined;
  /** A directory for outputs, when one was named. */
  outputDirectory: string | undefined;
}

export type RunningDaemon = Pick<
  GetDaemonResponse__Output,
  'pid' | 'version' | 'ip' | 'ports' | 'nowMs' | 'schedulers'
>;

export interface SilentDaemon {
  socketPath: string;
  /** Undefined when nobody has noted it. */
  pid: number | undefined;
  why: string;
}

/** Who listens where a daemon of ours should; one of somebody else's counts as nobody. */
export async function findRunningDaemon({
  socketPath: configured,
  storeDirectory,
}: Pick<DaemonSettings, 'socketPath' | 'storeDirectory'>): Promise<Pick<DoctorContext, 'running' | 'silent'>> {
  const socketPath = await findListening(configured, storeDirectory);
  const nobody = { running: undefined, silent: undefined };
  if (socketPath === undefined) return nobody;
  try {
    return { running: await callAdmin(socketPath, ADMIN.GetDaemon, {}), silent: undefined };
  } catch (error) {
    if (hasCode(error, 'DFP_UNIMPLEMENTED')) return nobody;
    const note = await readSocketNote(storeDirectory);
    const pid = note?.socketPath === socketPath ? note.pid : undefined;
    return { running: undefined, silent: { socketPath, pid, why: messageOf(error) } };
  }
}
