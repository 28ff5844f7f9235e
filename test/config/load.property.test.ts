import assert from 'node:assert/strict';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parseDynconfig } from '../../src/config/dynconfig.js';
import { listKeys } from '../../src/config/key-spec.js';
import { parseDaemonConfig } from '../../src/config/load.js';
import { DAEMON_SCHEMA } from '../../src/config/schema.js';
import { DfpeerError } from '../../src/core/errors.js';
import { DRAGONFLY_YAML } from './dragonfly-yaml.js';

function isConfigOrCodedError(parse: () => unknown): void {
  try {
    assert.ok(parse());
  } catch (error) {
    if (error instanceof DfpeerError && error.code === 'DFP_CONFIG') return;
    throw error;
  }
}

const anything = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('50GB', '10s', '1.5 GiB', '-1', '0', '::1', '10.0.0.1:80', '1e400', 'tcp', '/tmp', '~'),
  fc.double(),
  fc.bigInt(),
);

describe('configuration files of any content', () => {
  it('random text gives a configuration or DFP_CONFIG', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => isConfigOrCodedError(() => parseDaemonConfig(text, 'f'))),
    ));

  it('any value at any key gives a configuration or DFP_CONFIG', () => {
    const keys = listKeys(DAEMON_SCHEMA).map(({ path }) => path.split('.'));
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.nat(3), anything, (path, cut, value) => {
        const names = path.slice(0, Math.max(1, path.length - cut));
        const content = names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
        isConfigOrCodedError(() => parseDaemonConfig(stringify(content), 'f'));
      }),
      { numRuns: 1000 },
    );
  });

  it("Dragonfly's file with characters replaced gives a configuration or DFP_CONFIG", () =>
    fc.assert(
      fc.property(
        fc.nat(DRAGONFLY_YAML.length),
        fc.nat(20),
        fc.oneof(fc.string(), fc.constantFrom('*', '&a', '!!', '? ', '- ', '|', '%', '\t', '"', '{', '<<: ')),
        (at, removed, added) => {
          const text = DRAGONFLY_YAML.slice(0, at) + added + DRAGONFLY_YAML.slice(at + removed);
          isConfigOrCodedError(() => parseDaemonConfig(text, 'f'));
        },
      ),
    ));

  it('a dynconfig file of any content gives schedulers or DFP_CONFIG', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.jsonValue().map((value) => stringify({ scheduler: value })),
        ),
        (text) => isConfigOrCodedError(() => parseDynconfig(text, 'f')),
      ),
    ));

  it('sizes and durations that are written out come back in bytes and milliseconds', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4096 }), fc.integer({ min: 1, max: 10_000 }), (mebibytes, seconds) => {
        const text = `upload: {bandwidthLimit: ${mebibytes}MiB, idleTimeout: ${seconds}s}`;
        const { upload } = parseDaemonConfig(text, 'f').config;
        assert.equal(upload.bandwidthLimitBytesPerSecond, mebibytes * 1024 * 1024);
        assert.equal(upload.idleTimeoutMs, seconds * 1000);
      }),
    ));
});
