import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Places, storeDirectoryIn } from '../config/places.js';
import { sleep } from '../core/deadline.js';
import { DfpeerError, errnoOf } from '../core/errors.js';
import type { LogLevel } from '../core/log-level.js';
import { makeDirectories } from '../core/make-directories.js';
import { findNotedSocket, readSocketNote } from '../peer/socket-note.js';
import { type FoundDaemon, tryDaemon } from './daemon-connection.js';
import { DAEMON_NODE_OPTIONS } from './daemon-node-options.js';
import { EXIT_CODES } from './exit-codes.js';

/** A daemon that dfget starts must answer within this. */
export const START_TIMEOUT_MS = 20_000;
/** Another one has the store and may be starting or ending: then it is tried again this often. */
export const START_RETRY_MS = 1_000;
const POLL_INTERVAL_MS = 25;
/** The directory may be a service's that is not root's, whom a link would let write as root; a pipe must not keep us waiting. */
const START_LOG_FLAGS =
  constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK;

// dist/src/cli → the package's root
const DFDAEMON = fileURLToPath(new URL('../../../bin/dfdaemon', import.meta.url));

export interface Autostart {
  /** `5m` */
  aliveTime: string;
  /** Undefined: its default. */
  logLevel: LogLevel | undefined;
}

/**
 * Starts a daemon of this user's own in the background, and waits until it answers. Two at once do no harm: the store's lock lets one live,
 * and whoever lives is found, also where the socket is elsewhere.
 * @throws DfpeerError DFP_DAEMON_UNREACHABLE with the daemon's own last words
 */
export async function startDaemon(places: Places, autostart: Autostart, signal: AbortSignal): Promise<FoundDaemon> {
  const { logDir } = places;
  const startLog = startLogIn(logDir);
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  let launched = await launch(startLog, autostart);
  const silent = new SilentHolder();
  for (;;) {
    const { exit } = launched;
    // Read before the sockets are tried: the one that has the store may have come in between.
    const words = exit === undefined ? undefined : await readFile(startLog, 'utf8').catch(() => '');
    const store = (words === undefined ? undefined : lockedStore(words)) ?? storeDirectoryIn(places.dataDir);
    const found =
      (await tryDaemon(places.socketPath, { logDir, isNew: exit === undefined })) ??
      (await tryDaemon(await findNotedSocket(store)));
    if (found !== undefined) return found;
    const isOver = performance.now() > deadlineMs;
    if (isOver || (exit !== undefined && !hasLostRace(exit, words ?? '')))
      throw didNotStart(startLog, exit, words ?? '');
    if (exit !== undefined) {
      await silent.assertMayAnswer(store);
      if (performance.now() > exit.atMs + START_RETRY_MS) launched = await launch(startLog, autostart);
    }
    await sleep(POLL_INTERVAL_MS, signal);
  }
}

interface Exit {
  code: number | null;
  shown: string;
  atMs: number;
}

/** A daemon in the background; whether it has ended already, and how. Its own words go to the file until it has a log. */
async function launch(startLog: string, { aliveTime, logLevel }: Autostart): Promise<{ exit: Exit | undefined }> {
  const log = await openStartLog(startLog);
  try {
    const launched: { exit: Exit | undefined } = { exit: undefined };
    const ended = (code: number | null, shown: string): void => {
      launched.exit = { code, shown, atMs: performance.now() };
    };
    const args = [...DAEMON_NODE_OPTIONS, DFDAEMON, '--loopback', '--alive-time', aliveTime];
    if (logLevel !== undefined) args.push('--log-level', logLevel);
    spawn(process.execPath, args, { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/' })
      .once('exit', (code, signalName) => ended(code, `exit ${code ?? signalName ?? ''}`))
      .once('error', (error) => ended(null, error.message))
      .unref();
    return launched;
  } finally {
    await log.close();
  }
}

async function openStartLog(path: string): Promise<FileHandle> {
  try {
    await makeDirectories(dirname(path), 0o700);
    return await open(path, START_LOG_FLAGS, 0o600);
  } catch (cause) {
    throw new DfpeerError(
      'DFP_DAEMON_UNREACHABLE',
      `no daemon is running, and none can be started, as ${path} can't be written (${errnoOf(cause) ?? String(cause)}); set DFPEER_HOME to a directory of your own, or start dfdaemon`,
      { cause },
    );
  }
}

function didNotStart(startLog: string, exit: Exit | undefined, words: string): DfpeerError {
  const last = words.trim().split('\n').slice(-3).join('\n');
  return new DfpeerError(
    'DFP_DAEMON_UNREACHABLE',
    `the daemon did not start (${exit?.shown ?? `no answer in ${START_TIMEOUT_MS / 1000} s`}): ${last === '' ? `see ${startLog}` : last}`,
  );
}

/** Another one has the store. Its words may be gone: who starts a daemon at the same time empties the file. */
function hasLostRace({ code }: Exit, words: string): boolean {
  return words.includes('DFP_STORE_LOCKED') || (code === EXIT_CODES.disk && words === '');
}

/** The store that somebody else has, as the daemon says: a configuration may have it elsewhere. */
function lockedStore(words: string): string | undefined {
  return /another dfdaemon uses (\/.*?)\/metadata; /.exec(words)?.[1];
}

/** A daemon that has the store and says where it listens, but does not answer there. */
class SilentHolder {
  #sinceMs: number | undefined;

  /** One that starts or ends says nothing of a socket. @throws DfpeerError DFP_DAEMON_UNREACHABLE */
  async assertMayAnswer(store: string): Promise<void> {
    const note = await readSocketNote(store);
    if (note === undefined) return void (this.#sinceMs = undefined);
    this.#sinceMs ??= performance.now();
    // A note that is left from a daemon that was killed goes as soon as the next one has the store.
    if (performance.now() < this.#sinceMs + START_RETRY_MS) return;
    throw new DfpeerError(
      'DFP_DAEMON_UNREACHABLE',
      `the daemon that has ${store} (process ${note.pid}) can't be reached on its socket ${note.socketPath}; stop it (kill ${note.pid}), and run this again`,
    );
  }
}

/** Where the daemon's first words are. */
function startLogIn(logDirectory: string): string {
  return join(logDirectory, 'dfdaemon-start.log');
}
