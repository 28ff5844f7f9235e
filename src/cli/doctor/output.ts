import { link, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cloneFile } from '../../../native/index.js';
import { errnoOf, messageOf } from '../../core/errors.js';
import type { DoctorContext } from './context.js';
import { existingPart } from './directories.js';
import { findingsOf, type Finding } from './finding.js';

const found = findingsOf('output');

/** Whether an output in the given directory shares its bytes with the store, or is a copy. */
export async function checkOutput({ settings, outputDirectory }: DoctorContext): Promise<Finding[]> {
  if (outputDirectory === undefined) return [];
  const store = await existingPart(settings.storeDirectory);
  try {
    return [await withProbes(store, outputDirectory, tryToShare)];
  } catch (error) {
    return [
      found.fail(
        `outputs in ${outputDirectory} could not be tried: ${messageOf(error)}`,
        "name a directory that exists and that the daemon's user may write to",
      ),
    ];
  }
}

async function tryToShare(source: string, directory: string, output: string): Promise<Finding> {
  if (await canReflink(source, join(directory, 'reflink')))
    return found.ok(`outputs in ${output} share blocks with the store (reflink): no copy, no space`);
  try {
    await link(source, join(directory, 'link'));
    return found.ok(`outputs in ${output} can be hard links to the store; reflinks are not possible there`);
  } catch (error) {
    const why = errnoOf(error) === 'EXDEV' ? 'it is another file system' : messageOf(error);
    return found.warn(
      `outputs in ${output} are copies: ${why}`,
      'where that matters, keep storage.dir and outputs on one file system, best xfs or btrfs',
    );
  }
}

async function canReflink(source: string, target: string): Promise<boolean> {
  const from = await open(source, 'r');
  try {
    const to = await open(target, 'wx', 0o600);
    try {
      return (await cloneFile(from, to)) === 'cloned' && (await stat(target)).size > 0;
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function withProbes<T>(
  store: string,
  output: string,
  work: (source: string, directory: string, output: string) => Promise<T>,
): Promise<T> {
  const made: string[] = [];
  try {
    for (const directory of [store, output]) made.push(await mkdtemp(join(directory, '.dfdaemon-doctor-')));
    const [inStore = '', inOutput = ''] = made;
    const source = join(inStore, 'probe');
    const file = await open(source, 'wx', 0o600);
    await file.writeFile(Buffer.alloc(4096, 1)).finally(() => file.close());
    return await work(source, inOutput, output);
  } finally {
    for (const directory of made) await rm(directory, { recursive: true, force: true });
  }
}
