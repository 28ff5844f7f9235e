import { statSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import type { Environment } from '../../../core/environment.js';
import { messageOf } from '../../../core/errors.js';
import { readCertificates } from './certificate-file.js';

/** PEM files that say whose signature under an origin's certificate counts. */
export interface AuthorityFiles {
  /** Instead of the system's. */
  named: string | undefined;
  /** The first one that is there holds the system's list. */
  system: readonly string[];
  /** Count beside the list, whichever it is. */
  additional: readonly string[];
}

export interface Authorities {
  /** Where the list comes from; undefined: it is Node's own. */
  listFile: string | undefined;
  /** In PEM, like those beside it. */
  list: readonly string[];
  additional: readonly string[];
}

/** What update-ca-certificates and its like write, where Go's crypto/x509 looks for it. */
const SYSTEM_LISTS: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Arch
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora
  '/etc/ssl/ca-bundle.pem', // SUSE
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', // RHEL
  '/etc/ssl/cert.pem', // Alpine, macOS
];

/** As for curl and OpenSSL, and as Node has it. @param configured the file of `backend.caCert` */
export function authorityFiles(env: Environment, configured: string | undefined): AuthorityFiles {
  // dfget empties the first for its own quick start, and hands the value to the daemon that it starts in the second.
  const ofNode = nonEmpty(env.NODE_EXTRA_CA_CERTS) ?? nonEmpty(env.DFPEER_EXTRA_CA_CERTS);
  return {
    named: nonEmpty(env.SSL_CERT_FILE),
    system: SYSTEM_LISTS,
    additional: [ofNode, configured].filter((path) => path !== undefined),
  };
}

/**
 * Node's own list only where the system has none: what an administrator has taken off the system's must not come back.
 * @param onTrouble told of files that can't be used; the rest counts all the same
 */
export function readAuthorities(files: AuthorityFiles, onTrouble: (message: string) => void): Authorities {
  const read = (path: string, consequence: string): string[] | undefined => {
    try {
      return readCertificates(path);
    } catch (error) {
      onTrouble(`${path} ${messageOf(error)}; ${consequence}`);
      return undefined;
    }
  };
  const file = files.named ?? files.system.find((path) => fileState(path) !== undefined);
  const list = file === undefined ? undefined : read(file, "Node's own list of authorities takes its place");
  return {
    listFile: list === undefined ? undefined : file,
    list: list ?? rootCertificates,
    additional: files.additional.flatMap((path) => read(path, 'it is left out') ?? []),
  };
}

/** Differs when one of the files does. */
export function stateOf({ named, system, additional }: AuthorityFiles): string {
  return JSON.stringify([...(named === undefined ? system : [named]), ...additional].map(fileState));
}

/** Links are followed: a mounted secret changes by another link. */
function fileState(path: string): number[] | undefined {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path);
    return [dev, ino, size, mtimeMs, ctimeMs];
  } catch {
    return undefined;
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
