import { mkdtemp, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../core/clock.js';
import { sleep } from '../../core/deadline.js';
import type { DoctorContext } from './context.js';
import { existingPart } from './directories.js';
import { findingsOf, type Finding } from './finding.js';

const found = findingsOf('clock');

/** Before this the program had not been written. */
const EARLIEST_MS = Date.UTC(2025, 0, 1);
const LATEST_MS = Date.UTC(2100, 0, 1);
/** Network file systems stamp files by their own clock. */
const MAX_FILE_SKEW_MS = 10_000;
const WATCHED_MS = 200;
const MAX_DRIFT_MS = 100;

const REMEDY = 'set the clock, and run chrony, ntpd or systemd-timesyncd';

/** Times go into records, garbage collection and certificates. Schedulers do not tell theirs, so it is compared with what is here. */
export async function checkClock({ settings }: DoctorContext, clock: Clock = systemClock): Promise<Finding[]> {
  const now = clock.now();
  if (now < EARLIEST_MS || now > LATEST_MS)
    return [found.fail(`the clock says ${new Date(now).toISOString()}`, REMEDY)];
  const [skewMs, driftMs] = [await fileSkew(settings.storeDirectory, clock), await drift(clock)];
  if (Math.abs(driftMs) > MAX_DRIFT_MS)
    return [found.warn(`the clock jumped by ${Math.round(driftMs)} ms while it was watched`, REMEDY)];
  if (skewMs !== undefined && Math.abs(skewMs) > MAX_FILE_SKEW_MS)
    return [
      found.warn(
        `the store's file system is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's clock`,
        'set both clocks, or keep the store on a local disk',
      ),
    ];
  return [found.ok(`the clock says ${new Date(now).toISOString()} and goes steadily`)];
}

/** Undefined where no file can be made: another check says why. */
async function fileSkew(directory: string, clock: Clock): Promise<number | undefined> {
  try {
    const probe = await mkdtemp(join(await existingPart(directory), '.dfdaemon-doctor-')).catch(() =>
      mkdtemp(join(tmpdir(), 'dfdaemon-doctor-')),
    );
    const { mtimeMs } = await stat(probe).finally(() => rmdir(probe));
    return mtimeMs - clock.now();
  } catch {
    return undefined;
  }
}

/** How far the time of day went beyond the time that passed. */
async function drift(clock: Clock): Promise<number> {
  const before = clock.now() - clock.monotonicMs();
  await sleep(WATCHED_MS, undefined, clock);
  return clock.now() - clock.monotonicMs() - before;
}
