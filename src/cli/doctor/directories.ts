import { lstat, mkdtemp, rmdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, messageOf } from '../../core/errors.js';
import { formatBytes } from '../../core/units.js';
import type { DoctorContext } from './context.js';
import { findingsOf, type Finding } from './finding.js';

const found = findingsOf('directories');

/** Below this the next larger task may not fit. */
export const LOW_SPACE_BYTES = 1024 ** 3;
const LOW_SHARE = 0.05;

/** The directories that the daemon writes to: there or possible, writable, ours, with room. */
export async function checkDirectories({ config, settings, running }: DoctorContext): Promise<Finding[]> {
  const store = settings.storeDirectory;
  const findings = [
    await checkWritable('storage.dir', store, 'set storage.dir to a directory that this user may write to'),
    await checkOwner(store),
    ...(await checkSpace(store)),
  ];
  // One that runs has a log, perhaps by flags that this command was not given, and a socket.
  if (running === undefined) {
    if (!config.log.console)
      findings.push(await checkWritable('log directory', config.log.dir, 'name another one with --log-dir'));
    findings.push(await checkSocket(settings.socketPath));
  }
  return findings.filter((finding) => finding !== undefined);
}

/** The directory itself, or the nearest one above that exists. */
export async function existingPart(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) return path;
    return existingPart(dirname(path));
  }
}

async function checkWritable(what: string, directory: string, remedy: string): Promise<Finding> {
  const existing = await existingPart(directory);
  const reason = await whyNotWritable(existing);
  if (reason === undefined)
    return found.ok(existing === directory ? `${what}: ${directory} is writable` : `${what}: ${directory} can be made`);
  const where = existing === directory ? directory : `${directory} can't be made: ${existing}`;
  return found.fail(`${what}: ${where} ${reason}`, remedy);
}

/** By trying: rights, mounts and quotas all have their say. */
async function whyNotWritable(directory: string): Promise<string | undefined> {
  try {
    await rmdir(await mkdtemp(join(directory, '.dfdaemon-doctor-')));
    return undefined;
  } catch (error) {
    return explain(errnoOf(error)) ?? `can't be written to: ${messageOf(error)}`;
  }
}

function explain(errno: string | undefined): string | undefined {
  switch (errno) {
    case 'EACCES':
    case 'EPERM':
      return 'may not be written to by this user';
    case 'EROFS':
      return 'is on a read-only file system';
    case 'ENOSPC':
      return 'is on a full file system';
    case 'ENOTDIR':
      return 'is no directory';
    default:
      return undefined;
  }
}

/** The daemon refuses a store that somebody else could have prepared. */
async function checkOwner(store: string): Promise<Finding | undefined> {
  const stats = await lstat(store).catch(() => undefined);
  const uid = process.getuid?.();
  if (stats === undefined || uid === undefined) return undefined;
  if (stats.isSymbolicLink())
    return found.fail(`store: ${store} is a symbolic link`, 'set storage.dir to the directory that it points to');
  if (stats.uid !== uid)
    return found.fail(
      `store: ${store} belongs to user ${stats.uid}, this is user ${uid}`,
      "run this command as the daemon's user, or remove the directory; it is a cache",
    );
  return undefined;
}

async function checkSpace(store: string): Promise<Finding[]> {
  const stats = await statfs(await existingPart(store)).catch(() => undefined);
  if (stats === undefined) return [];
  const { bsize, blocks, bavail, files, ffree } = stats;
  const [free, total] = [bavail * bsize, blocks * bsize];
  const findings = [spaceFinding(free, total)];
  if (files > 0 && ffree < files * 0.01)
    findings.push(found.warn(`store: only ${ffree} of ${files} inodes are free`, 'remove files from that file system'));
  return findings;
}

export function spaceFinding(free: number, total: number): Finding {
  const text = `store: ${formatBytes(free)} of ${formatBytes(total)} are free`;
  if (free >= LOW_SPACE_BYTES && free >= total * LOW_SHARE) return found.ok(text);
  const remedy = 'make room, or set gc.policy.diskThreshold to what tasks may take';
  return free === 0 ? found.fail(text, remedy) : found.warn(text, remedy);
}

async function checkSocket(socketPath: string): Promise<Finding> {
  const stats = await lstat(socketPath).catch(() => undefined);
  if (stats !== undefined && !stats.isSocket())
    return found.fail(
      `socket: ${socketPath} is there and is no socket`,
      'remove it, or set download.server.socketPath to another path',
    );
  return checkWritable(
    'socket',
    dirname(socketPath),
    'set download.server.socketPath to a path that this user may use',
  );
}
