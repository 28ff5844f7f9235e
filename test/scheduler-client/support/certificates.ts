import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export async function hasOpenssl(): Promise<boolean> {
  return run('openssl', ['version']).then(
    () => true,
    () => false,
  );
}

export interface Certificate {
  cert: string;
  key: string;
}

/** A throw-away authority in `directory`, signing for these addresses. Returns paths of PEM files. */
export async function createAuthority(
  directory: string,
  addresses: readonly string[] = ['127.0.0.1'],
): Promise<{
  caCert: string;
  issue: (name: string) => Promise<Certificate>;
}> {
  const path = (name: string): string => join(directory, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const [caCert, caKey] = [path('ca.pem'), path('ca-key.pem')];
  await run('openssl', ['req', '-x509', ...newKey, '-keyout', caKey, '-out', caCert, '-subj', '/CN=test authority']);
  await writeFile(
    path('names.cnf'),
    `subjectAltName=DNS:localhost,${addresses.map((each) => `IP:${each}`).join(',')}\n`,
  );
  return {
    caCert,
    issue: async (name) => {
      const [cert, key, request] = [path(`${name}.pem`), path(`${name}-key.pem`), path(`${name}.csr`)];
      await run('openssl', ['req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${name}`]);
      const signing = ['-CA', caCert, '-CAkey', caKey, '-CAcreateserial', '-extfile', path('names.cnf')];
      await run('openssl', ['x509', '-req', '-in', request, '-out', cert, ...signing]);
      return { cert, key };
    },
  };
}
