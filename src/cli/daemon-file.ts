import { dirname } from 'node:path';
import { DfpeerError } from '../core/errors.js';
import { directoryIdentity } from '../peer/output/directory-identity.js';
import { asOutputError, statOrUndefined } from '../peer/output/output-file.js';

/** An output that the daemon is to write. */
export interface DaemonFile {
  /** Absolute. */
  path: string;
  /** Which directory we mean: the daemon's may be another one of this name. */
  directory: string;
  /** What it must not allow; undefined: nobody else gets at it anyway. */
  umask: number | undefined;
}

/** @throws DfpeerError DFP_OUTPUT_IO */
export async function toDaemonFile(path: string, umask: number | undefined): Promise<DaemonFile> {
  return { path, directory: await asOutputError(path, () => directoryIdentity(dirname(path))), umask };
}

let umask: number | undefined;

/** Of this process; nothing changes it. */
export function ownUmask(): number {
  if (umask === undefined) {
    // To ask is to set: once, before there are files that it could be the umask of.
    umask = process.umask(0o077);
    process.umask(umask);
  }
  return umask;
}

/** Dragonfly's daemon doesn't ask where it writes. @throws DfpeerError DFP_OUTPUT_IO */
export async function expectWritten(path: string, outputBytes: number): Promise<void> {
  const found = await asOutputError(path, () => statOrUndefined(path));
  if (found?.isFile() === true && found.size === outputBytes) return;
  const why =
    found === undefined
      ? 'it may have other mounts, as a container or a service has'
      : 'it may not know ranges of files, or have other mounts, as a container or a service has';
  throw new DfpeerError(
    'DFP_OUTPUT_IO',
    `the daemon says that it has written ${path}, but there is no file of ${outputBytes} bytes: ${why}; use --transfer-from-dfdaemon`,
  );
}
