import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { DfpeerError } from '../../../src/core/errors.js';
import { authorityFiles, readAuthorities } from '../../../src/peer/fetch/origin/authority-files.js';
import { checkCertificateFile } from '../../../src/peer/fetch/origin/certificate-file.js';
import {
  AUTHORITIES_CHECK_INTERVAL_MS,
  TrustedAuthorities,
} from '../../../src/peer/fetch/origin/trusted-authorities.js';
import { ManualClock } from '../../support/manual-clock.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';

const [ONE = '', OTHER = '', THIRD = ''] = rootCertificates;

describe('the authorities of https origins', () => {
  const directory = useTemporaryDirectory();

  function file(name: string, content: string): string {
    const path = join(directory(), name);
    writeFileSync(path, content);
    return path;
  }

  function read(files: Partial<Parameters<typeof readAuthorities>[0]>): {
    listFile: string | undefined;
    certificates: readonly string[];
    troubles: string[];
  } {
    const troubles: string[] = [];
    const all = { named: undefined, system: [], additional: [], ...files };
    const { listFile, list, additional } = readAuthorities(all, (message) => troubles.push(message));
    return { listFile, certificates: [...list, ...additional], troubles };
  }

  it("come from the first of the system's lists that is there, and not from Node's", () => {
    const list = file('list', `# comments\r\n${ONE}\n\nand text\n${OTHER}`);
    const { listFile, certificates } = read({ system: [join(directory(), 'none'), list, file('later', THIRD)] });
    assert.deepEqual([listFile, certificates], [list, [ONE, OTHER]]);
  });

  it("come from Node's list where the system has none, with what is added", () => {
    const { listFile, certificates, troubles } = read({
      system: [join(directory(), 'none')],
      additional: [file('a', ONE)],
    });
    assert.deepEqual(
      [listFile, certificates.length, certificates.at(-1)],
      [undefined, rootCertificates.length + 1, ONE],
    );
    assert.deepEqual(troubles, []);
  });

  it('come from the file of SSL_CERT_FILE alone where it is set', () => {
    const { named, system } = authorityFiles({ SSL_CERT_FILE: '/x' }, undefined);
    assert.equal(named, '/x');
    assert.ok(system.includes('/etc/ssl/certs/ca-certificates.crt'));
    const { certificates } = read({ named: file('named', ONE), system: [file('list', OTHER)] });
    assert.deepEqual(certificates, [ONE]);
  });

  it("have Node's additional ones beside them, also by the name that dfget gives its daemon, and configured ones", () => {
    const added = (env: Record<string, string>): readonly string[] => authorityFiles(env, '/own').additional;
    assert.deepEqual(added({ NODE_EXTRA_CA_CERTS: '/extra' }), ['/extra', '/own']);
    assert.deepEqual(added({ NODE_EXTRA_CA_CERTS: '', DFPEER_EXTRA_CA_CERTS: '/extra' }), ['/extra', '/own']);
    assert.deepEqual(added({ NODE_EXTRA_CA_CERTS: '', DFPEER_EXTRA_CA_CERTS: '' }), ['/own']);
  });

  it("are Node's, with a warning, where a list is odd", () => {
    const odd = [
      [file('empty', ''), /empty holds no certificate in PEM; Node's own list of authorities takes its place$/],
      [file('garbage', ONE.replace('MII', 'AAA')), /holds something else as certificate 1; Node's own list/],
      [directory(), /can't be read \(EISDIR\); Node's own list/],
    ] as const;
    for (const [path, expected] of odd) {
      const { listFile, certificates, troubles } = read({ system: [path] });
      assert.deepEqual([listFile, certificates], [undefined, rootCertificates]);
      assert.match(troubles.join('\n'), expected);
    }
    assert.match(read({ named: join(directory(), 'none') }).troubles.join('\n'), /none can't be read \(ENOENT\); Node/);
    assert.match(
      read({ additional: ['/none'] }).troubles.join('\n'),
      /^\/none can't be read \(ENOENT\); it is left out/,
    );
  });

  it('are read once, and again when a file has changed, is there for the first time, or was in trouble', () => {
    const clock = new ManualClock();
    const troubles: string[] = [];
    const later = (): void => clock.advance(AUTHORITIES_CHECK_INTERVAL_MS);
    const files = { named: undefined, system: [join(directory(), 'list')], additional: [file('own', ONE)] };
    const trusted = new TrustedAuthorities(files, (message) => troubles.push(message), clock);
    const contexts = [trusted.context];
    const next = (): unknown => contexts.at(contexts.push(trusted.context) - 2);
    later();
    assert.equal(trusted.context, next(), 'nothing has changed');
    file('list', OTHER);
    assert.equal(trusted.context, next(), 'nobody looks at every connection');
    later();
    assert.notEqual(trusted.context, next());
    file('own', 'nothing');
    later();
    assert.notEqual(trusted.context, next());
    assert.equal(troubles.length, 1);
    later();
    assert.notEqual(trusted.context, next(), 'trouble may be over without a sign');
    assert.equal(troubles.length, 2);
  });

  it('that are configured must all be certificates', () => {
    assert.equal(checkCertificateFile('backend.caCert', file('good', ONE + OTHER)), 2);
    const refused = (path: string, expected: RegExp): void =>
      assert.throws(
        () => checkCertificateFile('backend.caCert', path),
        (error) => error instanceof DfpeerError && error.code === 'DFP_CONFIG' && expected.test(error.message),
      );
    refused('/none', /^backend\.caCert: \/none can't be read \(ENOENT\); name a PEM file of certificates/);
    refused(file('key', '-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n'), /no certificate in PEM; name/);
    refused(file('half', `${ONE}\n${OTHER.replace('MII', 'AAA')}`), /half holds something else as certificate 2; name/);
  });
});
