import { ClassicLevel } from 'classic-level';
import { link, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DfpeerError, hasCode } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { mapDiskError } from '../disk-error.js';
import { lockError, openError } from './level-errors.js';
import { LevelMetadataStore } from './level-metadata.js';
import { readLiveTables } from './live-tables.js';
import type { Quarantine } from './quarantine.js';
import { findBrokenTables } from './table-check.js';
import { unlessGone } from '../../core/unless-gone.js';

export interface MetadataPlace {
  directory: string;
  quarantine: Quarantine;
  logger: Logger;
}

/**
 * Opens the metadata. After damage LevelDB salvages what it can, and every piece is checked again; what can't be salvaged goes to quarantine: the
 * content is a cache, and a daemon that starts is worth more. A disk that is full or in trouble is no damage: nothing is touched then.
 * @throws DfpeerError DFP_STORE_LOCKED, DFP_STORE_FULL, DFP_STORE_IO
 */
export async function openMetadata(place: MetadataPlace): Promise<LevelMetadataStore> {
  const { directory } = place;
  try {
    await mapDiskError(`check the metadata in ${directory}`, () => assertSound(directory));
    return await LevelMetadataStore.open(directory);
  } catch (damage) {
    if (!hasCode(damage, 'DFP_STORE_DAMAGED')) throw damage;
    return salvage(place, damage);
  }
}

/** What seems broken is looked at again under the lock: another daemon may just be writing it. @throws DfpeerError DFP_STORE_DAMAGED */
async function assertSound(directory: string): Promise<void> {
  if (await lacksPointer(directory)) throw new DfpeerError('DFP_STORE_DAMAGED', `CURRENT is not in ${directory}`);
  const look = async (): Promise<string[]> => findBrokenTables(directory, await readLiveTables(directory));
  if ((await look()).length === 0) return;
  const broken = await whileLocked(directory, look);
  if (broken.length > 0) throw new DfpeerError('DFP_STORE_DAMAGED', `checksums do not fit in ${broken.join(', ')}`);
}

/** Without its pointer to the manifest LevelDB would take the place for empty, and delete all tables. */
async function lacksPointer(directory: string): Promise<boolean> {
  const names: string[] = await unlessGone(readdir(directory), []);
  return names.some((name) => /\.(ldb|log)$/.test(name)) && !names.includes('CURRENT');
}

async function salvage({ directory, quarantine, logger }: MetadataPlace, damage: unknown): Promise<LevelMetadataStore> {
  try {
    await mapDiskError(`repair the metadata in ${directory}`, () =>
      whileLocked(directory, async () => {
        for (const name of await findBrokenTables(directory))
          await quarantine.take(name, (target) => rename(join(directory, name), target));
        await repair(directory);
      }),
    );
    const metadata = await LevelMetadataStore.open(directory, { isSalvaged: true });
    logger.warn(
      { err: damage, directory },
      'the metadata was damaged and is repaired; all stored pieces are checked, what is missing is fetched again when it is wanted',
    );
    return metadata;
  } catch (error) {
    if (!hasCode(error, 'DFP_STORE_DAMAGED')) throw error;
    await mapDiskError(`move ${directory} to quarantine`, () =>
      quarantine.take('metadata', (target) => rename(directory, target)),
    );
    logger.warn(
      { err: damage, directory },
      'the metadata was damaged beyond repair and goes to quarantine; everything is fetched again when it is wanted',
    );
    return LevelMetadataStore.open(directory);
  }
}

/** Holds LevelDB's lock, which is on the inode, by an empty database that has the same one: the damaged one is not opened. */
async function whileLocked<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const scratch = join(dirname(directory), 'repair');
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch);
  // None is there when nobody has ever opened it. The database opens by itself once it is made, and would make one of its own.
  await unlessGone(link(join(directory, 'LOCK'), join(scratch, 'LOCK')), undefined);
  const db = new ClassicLevel(scratch);
  try {
    await db.open().catch((error: unknown) => {
      throw lockError(directory, error);
    });
    return await work();
  } finally {
    await db.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function repair(directory: string): Promise<void> {
  try {
    await ClassicLevel.repair(directory);
  } catch (error) {
    throw openError(directory, error);
  }
}
