import type { DaemonConfig } from '../../config/daemon-config.js';
import type { GetDaemonResponse__Output } from '../../generated/dfpeer/v1/GetDaemonResponse.js';
import type { DaemonSettings } from '../../peer/daemon-settings.js';
import { ADMIN, callAdmin } from '../admin-client.js';
import { isListening } from '../daemon-connection.js';

/** What the checks look at. */
export interface DoctorContext {
  config: DaemonConfig;
  settings: DaemonSettings;
  /** Our own daemon, when one answers on the configured socket. */
  running: RunningDaemon | undefined;
  /** A directory for outputs, when one was named. */
  outputDirectory: string | undefined;
}

export type RunningDaemon = Pick<
  GetDaemonResponse__Output,
  'pid' | 'version' | 'ip' | 'ports' | 'nowMs' | 'schedulers'
>;

/** Undefined when none answers, or it is not one of ours. */
export async function findRunningDaemon(socketPath: string): Promise<RunningDaemon | undefined> {
  if (!(await isListening(socketPath))) return undefined;
  return callAdmin(socketPath, ADMIN.GetDaemon, {}).catch(() => undefined);
}
