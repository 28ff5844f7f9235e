import { resolveDaemonConfig } from '../../config/resolve.js';
import type { DaemonConfig } from '../../config/daemon-config.js';
import { ConfigError } from '../../config/config-error.js';
import { withDeadline } from '../../core/deadline.js';
import { messageOf } from '../../core/errors.js';
import { redactText } from '../../core/redact.js';
import type { DaemonSettings } from '../../peer/daemon-settings.js';
import type { DfdaemonCommand } from '../dfdaemon-commands.js';
import { EXIT_CODES } from '../exit-codes.js';
import { print } from '../print.js';
import { toSettings } from '../to-settings.js';
import { checkCertificates } from './certificates.js';
import { checkClock } from './clock.js';
import { findRunningDaemon, type DoctorContext, type RunningDaemon } from './context.js';
import { checkDirectories } from './directories.js';
import { findingsOf, type Finding } from './finding.js';
import { checkKernel } from './kernel.js';
import { checkNativeCode } from './native-code.js';
import { checkOpenFiles } from './open-files.js';
import { checkOutput } from './output.js';
import { checkPorts } from './ports.js';
import { checkReachability } from './reachability.js';
import { findingsDocument, renderFindings } from './render.js';
import { checkSchedulers } from './schedulers.js';
import { checkSendfile } from './sendfile.js';

/** A check that hangs is a finding of its own. */
export const DOCTOR_CHECK_TIMEOUT_MS = 30_000;

export type DoctorCommand = Extract<DfdaemonCommand, { name: 'doctor' }>;

const CHECKS: Readonly<Record<string, (context: DoctorContext) => Promise<Finding[]>>> = {
  ports: checkPorts,
  directories: checkDirectories,
  certificates: checkCertificates,
  schedulers: checkSchedulers,
  clock: checkClock,
  sendfile: checkSendfile,
  'open-files': checkOpenFiles,
  reachability: checkReachability,
  output: checkOutput,
};

/** These need no configuration. */
const MACHINE_CHECKS: Readonly<Record<string, () => Promise<Finding[]>>> = {
  native: checkNativeCode,
  kernel: checkKernel,
};

/** `dfdaemon doctor`. Resolves with the exit code: 1 when something must be mended, otherwise 0. */
export async function doctor(command: DoctorCommand, version: string): Promise<number> {
  const findings = await examine(command, version);
  const shown = findings.map((finding) => ({ ...finding, message: redactText(finding.message) }));
  const colour = process.stdout.isTTY && (process.env.NO_COLOR ?? '') === '';
  await print(command.json ? findingsDocument(shown, version) : renderFindings(shown, { colour }));
  return shown.some(({ status }) => status === 'fail') ? EXIT_CODES.internal : EXIT_CODES.ok;
}

/** All findings, in an order that goes from causes to effects. */
export async function examine(command: Omit<DoctorCommand, 'name' | 'json'>, version: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, check] of Object.entries(MACHINE_CHECKS)) findings.push(...(await guarded(name, () => check())));
  const found = findingsOf('config');
  let config: DaemonConfig;
  try {
    config = await resolveDaemonConfig(command.overrides);
  } catch (error) {
    const remedy =
      error instanceof ConfigError
        ? 'mend these places; docs/CONFIGURATION.md has all keys'
        : 'name another one with --config';
    return [found.fail(messageOf(error), remedy), ...findings];
  }
  const settings = toSettings(config, version);
  const { running, silent } = await findRunningDaemon(settings);
  const context = {
    config,
    settings: withSchedulerOf(settings, running),
    running,
    silent,
    outputDirectory: command.outputDirectory,
  };
  for (const [name, check] of Object.entries(CHECKS)) findings.push(...(await guarded(name, () => check(context))));
  const ofConfig = [
    found.ok(config.configFile === undefined ? 'no configuration file: defaults' : `${config.configFile} is valid`),
    ...config.warnings.map((warning) => found.warn(warning, 'remove what has no effect, or leave it')),
    describeDaemon({ running, silent }),
  ];
  return [...ofConfig, ...findings];
}

/** A daemon that flags sent to a scheduler runs none of its own, although this command was not given the flags. */
function withSchedulerOf(settings: DaemonSettings, running: RunningDaemon | undefined): DaemonSettings {
  const hasNone = running !== undefined && running.ports.scheduler === undefined;
  return hasNone ? { ...settings, embeddedScheduler: undefined } : settings;
}

function describeDaemon({ running, silent }: Pick<DoctorContext, 'running' | 'silent'>): Finding {
  const found = findingsOf('config');
  if (running !== undefined) return found.ok(`our daemon runs: process ${running.pid}`);
  if (silent === undefined) return found.ok('no daemon of ours is running');
  const { socketPath, pid, why } = silent;
  const who = pid === undefined ? 'the process' : `process ${pid}`;
  return findingsOf('daemon').fail(
    `${who} that listens on ${socketPath} does not answer: ${why}`,
    pid === undefined
      ? `see which one it is (ss -lxp src ${socketPath}) and whether it was stopped or hangs; end it, and start dfdaemon`
      : `if it was stopped (state T in ps -o stat,args ${pid}), kill -CONT ${pid} lets it go on; otherwise it hangs: kill -KILL ${pid}, and start dfdaemon`,
  );
}

async function guarded(name: string, check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await withDeadline({ waitingFor: `the check of ${name}`, timeoutMs: DOCTOR_CHECK_TIMEOUT_MS }, check);
  } catch (error) {
    return [findingsOf(name).fail(`the check itself failed: ${messageOf(error)}`, 'this is a bug of dfdaemon doctor')];
  }
}
