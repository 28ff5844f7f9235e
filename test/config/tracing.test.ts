import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toSettings } from '../../src/cli/to-settings.js';
import type { DaemonConfig, DaemonOverrides } from '../../src/config/daemon-config.js';
import { findPlaces } from '../../src/config/places.js';
import { resolveDaemonConfig } from '../../src/config/resolve.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('tracing keys', () => {
  const directory = useTemporaryDirectory();

  async function resolve(tracing: string): Promise<DaemonConfig> {
    const configFile = join(directory(), 'dfdaemon.yaml');
    await writeFile(configFile, `tracing:\n${tracing}`);
    const overrides: DaemonOverrides = {
      configFile,
      schedulers: [],
      isLoopbackOnly: false,
      logLevel: 'info',
      logMaxFiles: 6,
      logMaxFileSizeBytes: 4096,
      console: true,
    };
    const places = findPlaces({ env: { DFPEER_HOME: directory() }, uid: 1, home: directory() });
    return resolveDaemonConfig(overrides, { places });
  }

  it('name a collector by protocol, endpoint, path and headers', async () => {
    const plain = await resolve('  protocol: http\n  endpoint: otel:4318\n');
    assert.deepEqual(toSettings(plain, '0').tracing, { url: 'http://otel:4318/v1/traces', headers: {} });
    const full = await resolve('  protocol: https\n  endpoint: "[::1]:443"\n  path: /in\n  headers:\n    x-team: a\n');
    assert.deepEqual(toSettings(full, '0').tracing, { url: 'https://[::1]:443/in', headers: { 'x-team': 'a' } });
  });

  it('take an endpoint with its scheme, if that is the protocol', async () => {
    const written = await resolve('  protocol: http\n  endpoint: http://otel:4318/\n');
    assert.equal(toSettings(written, '0').tracing?.url, 'http://otel:4318/v1/traces');
    await assert.rejects(resolve('  protocol: http\n  endpoint: https://otel:4318\n'), {
      code: 'DFP_CONFIG',
      message: /tracing\.endpoint begins with https:\/\/, but tracing\.protocol is http; write host:port only/,
    });
  });

  it('say that nothing is sent with an endpoint and no protocol', async () => {
    const config = await resolve('  endpoint: otel:4318\n');
    assert.equal(toSettings(config, '0').tracing, undefined);
    assert.deepEqual(config.warnings, [
      'no traces are sent: tracing.endpoint is set, but tracing.protocol says neither http nor https',
    ]);
  });

  it('mean no traces without a protocol, as in the file that Dragonfly ships', async () => {
    const config = await resolve('  path: /v1/traces\n  headers:\n');
    assert.equal(toSettings(config, '0').tracing, undefined);
    assert.deepEqual(config.warnings, []);
  });

  it('take grpc, as Dragonfly does, but say that nothing is sent', async () => {
    const config = await resolve('  protocol: grpc\n  endpoint: otel:4317\n');
    assert.equal(toSettings(config, '0').tracing, undefined);
    assert.deepEqual(config.warnings, ['no traces are sent: tracing.protocol must be http or https, not grpc']);
  });

  it('want an endpoint with a protocol', async () => {
    await assert.rejects(resolve('  protocol: http\n'), { code: 'DFP_CONFIG', message: /tracing\.endpoint/ });
  });
});
