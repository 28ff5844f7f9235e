import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DfpeerError, errnoOf, messageOf } from '../../../core/errors.js';

const CERTIFICATE = /-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----[^-]+-----END \1-----/g;

/** The certificates in a PEM file. @throws Error that says what is wrong with the file, without naming it */
export function readCertificates(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error(`can't be read (${errnoOf(cause) ?? String(cause)})`, { cause });
  }
  const found = text.match(CERTIFICATE) ?? [];
  const [first] = found;
  if (first === undefined) throw new Error('holds no certificate in PEM');
  // The rest is left to OpenSSL, which passes over what it can't read: to look at all takes as long as to load them.
  assertCertificate(first, 0);
  return found;
}

/**
 * For a file that somebody has configured. Returns how many certificates it holds.
 * @throws DfpeerError DFP_CONFIG that names the key
 */
export function checkCertificateFile(key: string, path: string): number {
  try {
    const certificates = readCertificates(path);
    certificates.forEach(assertCertificate);
    return certificates.length;
  } catch (cause) {
    const trouble = messageOf(cause);
    const remedy = 'name a PEM file of certificates that the daemon may read';
    throw new DfpeerError('DFP_CONFIG', `${key}: ${path} ${trouble}; ${remedy}`, { cause });
  }
}

function assertCertificate(pem: string, index: number): void {
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw new Error(`holds something else as certificate ${index + 1}`, { cause });
  }
}
