import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadChannelCredentials, loadServerCredentials, type TlsFiles } from '../../src/grpc/credentials.js';
import { SchedulerConnection } from '../../src/scheduler-client/scheduler-connection.js';
import { createAuthority, hasOpenssl, type Certificate } from '../scheduler-client/support/certificates.js';
import { ScriptedScheduler } from '../scheduler-client/support/scripted-scheduler.js';

describe('TLS credentials', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dfpeer-tls-'));
  });

  afterEach(() => rm(directory, { recursive: true }));

  it('are plain text without files', async () => {
    assert.equal((await loadChannelCredentials(undefined))._isSecure(), false);
    assert.equal((await loadServerCredentials({}))._isSecure(), false);
  });

  it('name the file that is missing, is not PEM, or lacks its counterpart', async () => {
    const text = join(directory, 'text.pem');
    await writeFile(text, 'hello');
    const missing = join(directory, 'missing.pem');
    const refuses = (files: TlsFiles, message: RegExp): Promise<void> =>
      assert.rejects(loadChannelCredentials(files), { code: 'DFP_CONFIG', message });
    await refuses({ caCert: missing }, /caCert .*missing\.pem/);
    await refuses({ caCert: text }, /not a PEM file/);
    await refuses({ cert: text }, /cert and key together/);
    await assert.rejects(loadServerCredentials({ caCert: text }), { code: 'DFP_CONFIG' });
  });

  it('broken inside are refused when loaded, not at the first call', async () => {
    const broken = join(directory, 'broken.pem');
    await writeFile(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    await assert.rejects(loadChannelCredentials({ caCert: broken, cert: broken, key: broken }), { code: 'DFP_CONFIG' });
  });

  describe('between two programs', () => {
    let caCert: string;
    let server: Certificate;
    let client: Certificate;
    let scheduler: ScriptedScheduler;

    before(async function () {
      if (!(await hasOpenssl())) {
        console.warn('SKIPPED: no openssl program, mutual TLS is not tested');
        this.skip();
      }
    });

    beforeEach(async () => {
      const authority = await createAuthority(directory);
      caCert = authority.caCert;
      [server, client] = [await authority.issue('server'), await authority.issue('client')];
      scheduler = new ScriptedScheduler();
      await scheduler.listen(await loadServerCredentials({ caCert, ...server }));
    });

    afterEach(() => scheduler.kill());

    async function healthWith(files: TlsFiles | undefined): Promise<void> {
      const credentials = await loadChannelCredentials(files);
      const connection = new SchedulerConnection({ ip: '127.0.0.1', port: scheduler.port }, credentials);
      await connection.checkHealth(new AbortController().signal).finally(() => connection.close());
    }

    it('let a client in that has a certificate of the same authority', async () => {
      await healthWith({ caCert, ...client });
    });

    it('name no server that goes by an address, which RFC 6066 forbids, but check its certificate for it', async () => {
      const warnings: (string | undefined)[] = [];
      const onWarning = (warning: Error & { code?: string }): void => void warnings.push(warning.code);
      process.on('warning', onWarning);
      await healthWith({ caCert, ...client });
      process.off('warning', onWarning);
      assert.deepEqual(warnings, []);
      const elsewhere = await createAuthority(await mkdtemp(join(directory, 'elsewhere-')), ['127.0.0.9']);
      scheduler.kill();
      scheduler = new ScriptedScheduler();
      await scheduler.listen(
        await loadServerCredentials({ caCert: elsewhere.caCert, ...(await elsewhere.issue('server')) }),
      );
      await assert.rejects(healthWith({ caCert: elsewhere.caCert, ...(await elsewhere.issue('client')) }), {
        code: 'DFP_SCHEDULER_UNREACHABLE',
        message: /127\.0\.0\.1 is not in the cert's list/,
      });
    });

    it('keep out a client without certificate, or without TLS', async () => {
      await assert.rejects(healthWith({ caCert }), { code: 'DFP_SCHEDULER_UNREACHABLE' });
      await assert.rejects(healthWith(undefined), { code: 'DFP_SCHEDULER_UNREACHABLE' });
    });

    it('make a client refuse a server of another authority', async () => {
      const other = await mkdtemp(join(directory, 'other-'));
      const stranger = await createAuthority(other);
      await assert.rejects(healthWith({ caCert: stranger.caCert, ...client }), { code: 'DFP_SCHEDULER_UNREACHABLE' });
    });
  });
});
