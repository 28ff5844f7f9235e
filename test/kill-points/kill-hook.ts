import { ClassicLevel } from 'classic-level';
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { JOURNAL_VARIABLE, KILL_AT_VARIABLE, MOMENT_VARIABLE, STORE_VARIABLE, type Moment } from './kill-plan.js';

/**
 * Preloaded into every thread of a program under test (node --import): counts what it does to its store, each operation as one letter
 * in a journal file that all threads append to, and ends the process by SIGKILL at the given one.
 */
const store = process.env[STORE_VARIABLE] ?? '';
const killAt = Number(process.env[KILL_AT_VARIABLE]);
const moment = (process.env[MOMENT_VARIABLE] ?? 'before') as Moment;
const journal = fs.openSync(process.env[JOURNAL_VARIABLE] ?? '', fs.constants.O_APPEND | fs.constants.O_WRONLY);

const writeSync = fs.writeSync.bind(fs);
const isOurs = (path: unknown): boolean => typeof path === 'string' && path.startsWith(store);
const isOurFile = (fd: number): boolean => isOurs(fs.readlinkSync(`/proc/self/fd/${fd}`));

/** Notes one operation; true when it is the last one of this process. */
function isLast(letter: string): boolean {
  writeSync(journal, letter);
  return fs.fstatSync(journal).size >= killAt;
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal may reach another thread first: this one must do nothing more.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  throw new Error('killed');
}

type Work = (...args: never[]) => Promise<unknown>;

/** The same function, with a kill point before or after it. */
function watched<T extends Work>(letter: string, work: T, concerns: (args: Parameters<T>) => boolean): T {
  const replacement = async function (this: unknown, ...args: Parameters<T>): Promise<unknown> {
    if (!concerns(args)) return work.apply(this, args);
    const last = isLast(letter);
    if (last && moment !== 'after') die();
    const result = await work.apply(this, args);
    if (last) die();
    return result;
  };
  return replacement as T;
}

fs.writeSync = ((fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number => {
  if (!isOurFile(fd)) return writeSync(fd, bytes, offset, length, position);
  const last = isLast('w');
  if (last && moment === 'before') die();
  const written = writeSync(fd, bytes, offset, last && moment === 'torn' ? length >> 1 : length, position);
  if (last) die();
  return written;
}) as typeof fs.writeSync;

if (isMainThread) {
  const always = (): boolean => true;
  const anyOurs = (args: readonly unknown[]): boolean => args.some(isOurs);
  const probe = await promises.open(process.execPath);
  const handle = Object.getPrototypeOf(probe) as typeof probe;
  await probe.close();
  handle.truncate = watched('t', handle.truncate, always);
  handle.datasync = watched('s', handle.datasync, always);
  promises.open = watched(
    'o',
    promises.open,
    ([path, flags]) => isOurs(path) && (Number(flags) & fs.constants.O_CREAT) !== 0,
  );
  promises.mkdir = watched<typeof promises.mkdir>('d', promises.mkdir, anyOurs);
  promises.rmdir = watched('d', promises.rmdir, anyOurs);
  promises.rename = watched('r', promises.rename, anyOurs);
  promises.rm = watched('u', promises.rm, anyOurs);
  promises.link = watched('l', promises.link, anyOurs);
  const level = ClassicLevel.prototype as unknown as Record<'_put' | '_batch', Work>;
  level._put = watched('m', level._put, always);
  level._batch = watched('m', level._batch, always);
}
syncBuiltinESMExports();
