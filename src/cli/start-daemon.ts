import { spawn, type ChildProcess } from 'node:child_process';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep } from '../core/deadline.js';
import { DfpeerError, errnoOf } from '../core/errors.js';
import type { LogLevel } from '../core/log-level.js';
import { makeDirectories } from '../core/make-directories.js';
import { isListening } from './daemon-connection.js';
import { DAEMON_NODE_OPTIONS } from './daemon-node-options.js';

/** A daemon that dfget starts must answer within this. */
export const START_TIMEOUT_MS = 20_000;
const POLL_INTERVAL_MS = 25;

// dist/src/cli → the package's root
const DFDAEMON = fileURLToPath(new URL('../../../bin/dfdaemon', import.meta.url));

export interface Autostart {
  /** Its own words go there until it has a log. */
  startLog: string;
  /** `5m` */
  aliveTime: string;
  /** Undefined: its default. */
  logLevel: LogLevel | undefined;
}

/**
 * Starts a daemon of this user's own in the background, and waits until it answers. Two at once do no harm: the store's lock lets one live.
 * @throws DfpeerError DFP_DAEMON_UNREACHABLE with the daemon's own last words
 */
export async function startDaemon(
  socketPath: string,
  { startLog, aliveTime, logLevel }: Autostart,
  signal: AbortSignal,
): Promise<void> {
  const log = await openStartLog(startLog);
  try {
    const args = [...DAEMON_NODE_OPTIONS, DFDAEMON, '--loopback', '--alive-time', aliveTime];
    if (logLevel !== undefined) args.push('--log-level', logLevel);
    const child = spawn(process.execPath, args, {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      cwd: '/',
    });
    child.unref();
    await waitUntilListening(socketPath, child, startLog, signal);
  } finally {
    await log.close();
  }
}

async function openStartLog(path: string): Promise<FileHandle> {
  try {
    await makeDirectories(dirname(path), 0o700);
    return await open(path, 'w', 0o600);
  } catch (cause) {
    throw new DfpeerError(
      'DFP_DAEMON_UNREACHABLE',
      `no daemon is running, and none can be started, as ${path} can't be written (${errnoOf(cause) ?? String(cause)}); set DFPEER_HOME to a directory of your own, or start dfdaemon`,
      { cause },
    );
  }
}

async function waitUntilListening(
  socketPath: string,
  child: ChildProcess,
  startLog: string,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let exit: string | undefined;
  child.once('exit', (code, signalName) => (exit = `exit ${code ?? signalName ?? ''}`));
  child.once('error', (error) => (exit = error.message));
  while (!(await isListening(socketPath))) {
    // One that lost the race against another start leaves; the other one will answer.
    if (Date.now() > deadline || (exit !== undefined && !(await lostRace(startLog)))) {
      const words = (await readFile(startLog, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join('\n');
      throw new DfpeerError(
        'DFP_DAEMON_UNREACHABLE',
        `the daemon did not start (${exit ?? `no answer in ${START_TIMEOUT_MS / 1000} s`}): ${words === '' ? `see ${startLog}` : words}`,
      );
    }
    await sleep(POLL_INTERVAL_MS, signal);
  }
}

async function lostRace(startLog: string): Promise<boolean> {
  return (await readFile(startLog, 'utf8').catch(() => '')).includes('DFP_STORE_LOCKED');
}

/** Where {@link Autostart.startLog} is by default. */
export function startLogIn(logDirectory: string): string {
  return join(logDirectory, 'dfdaemon-start.log');
}
