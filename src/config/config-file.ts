import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { DfpeerError, errnoOf, messageOf } from '../core/errors.js';

export const MAX_CONFIG_BYTES = 1024 * 1024;

/**
 * The text of a configuration file; undefined when it does not exist and `optional` is set.
 * @throws DfpeerError (DFP_CONFIG) when it can't be read, is no regular file or larger than {@link MAX_CONFIG_BYTES}
 */
export async function readConfigText(file: string, optional: true): Promise<string | undefined>;
export async function readConfigText(file: string, optional?: false): Promise<string>;
export async function readConfigText(file: string, optional = false): Promise<string | undefined> {
  try {
    // O_NONBLOCK: opening a pipe would wait for its writer.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await handle.stat()).isFile()) throw new Error('not a regular file');
    const buffer = Buffer.alloc(MAX_CONFIG_BYTES + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (length > MAX_CONFIG_BYTES) throw new Error(`larger than ${MAX_CONFIG_BYTES} bytes`);
      if (bytesRead === 0) return buffer.toString('utf8', 0, length);
    }
  } catch (cause) {
    const isMissing = errnoOf(cause) === 'ENOENT';
    if (optional && isMissing) return undefined;
    const problem = messageOf(cause);
    throw new DfpeerError(
      'DFP_CONFIG',
      `configuration file ${file} ${isMissing ? 'does not exist' : `can't be read: ${problem}`}`,
      { cause },
    );
  }
}
