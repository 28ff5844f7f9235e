import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../../src/config/config-error.js';
import { MAX_CONFIG_BYTES, readConfigText } from '../../src/config/config-file.js';
import { parseDaemonConfig } from '../../src/config/load.js';
import { describeIneffectiveKeys } from '../../src/config/unknown-keys.js';
import { MAX_YAML_DEPTH } from '../../src/config/yaml-depth.js';
import { DRAGONFLY_YAML } from './dragonfly-yaml.js';
import { errorOf, withDirectory } from './support.js';

const parse = (text: string) => parseDaemonConfig(text, 'dfdaemon.yaml');
const messageOf = (text: string): string => errorOf(() => parse(text)).message;

describe('dfdaemon.yaml', () => {
  it("takes a file with every key of Dragonfly's and knows each of them", () => {
    const { config, ineffective } = parse(DRAGONFLY_YAML);
    assert.deepEqual(ineffective.unknown, []);
    assert.equal(config.host.ip, '10.1.2.3');
    assert.equal(config.manager.addr, 'http://manager.example.org:65003');
    assert.deepEqual(config.backend.requestHeader, { 'X-Team': 'images' });
  });

  it("has Dragonfly's defaults", () => {
    const { config } = parse('{}');
    assert.deepEqual(parse('').config, config);
    assert.equal(config.download.bandwidthLimitBytesPerSecond, 50e9);
    assert.equal(config.download.backToSourceBandwidthLimitBytesPerSecond, 50e9);
    assert.equal(config.download.pieceTimeoutMs, 360_000);
    assert.equal(config.download.collectedPieceTimeoutMs, 360_000);
    assert.equal(config.download.concurrentPieceCount, 8);
    assert.deepEqual(config.download.server, { requestRateLimit: 400, socketMode: '0600' });
    assert.equal(config.upload.server.port, 4000);
    assert.equal(config.upload.server.requestRateLimit, 400);
    assert.equal(config.upload.bandwidthLimitBytesPerSecond, 50e9);
    assert.equal(config.upload.disableShared, false);
    assert.equal(config.scheduler.announceIntervalMs, 300_000);
    assert.equal(config.scheduler.scheduleTimeoutMs, 3 * 3_600_000);
    assert.equal(config.scheduler.maxScheduleCount, 5);
    assert.deepEqual(config.seedPeer, { enable: false });
    assert.equal(config.dynconfig.refreshIntervalMs, 60_000);
    assert.equal(config.storage.server.tcpPort, 4005);
    assert.equal(config.backend.maxRetries, 3);
    assert.equal(config.gc.intervalMs, 900_000);
    assert.deepEqual(config.gc.policy, {
      taskTTLMs: 30 * 86_400_000,
      diskThresholdBytes: 0,
      diskHighThresholdPercent: 80,
      diskLowThresholdPercent: 60,
    });
    assert.equal(config.health.server.port, 4003);
    assert.equal(config.metrics.server.port, 4002);
    assert.equal(config.network.enableIPv6, false);
  });

  it('writing every default out changes nothing', () => {
    const set = parse(DRAGONFLY_YAML).config;
    const unset = parse('').config;
    for (const section of ['seedPeer', 'dynconfig', 'gc', 'network'] as const)
      assert.deepEqual(set[section], unset[section], section);
    assert.deepEqual({ ...set.download, server: {} }, { ...unset.download, server: {} });
    assert.deepEqual({ ...set.upload, server: {} }, { ...unset.upload, server: {} });
  });

  it('adds keys of our own with their defaults', () => {
    const { config } = parse('');
    assert.equal(config.storage.server.httpPort, 4007);
    assert.equal(config.scheduler.embedded.port, 8002);
    assert.equal(config.scheduler.embedded.enable, undefined);
    assert.equal(config.upload.limitedRoute, 'copy');
    assert.equal(config.download.aliveTimeMs, undefined);
  });

  it('leaves it to the kind of start where metrics and health listen', () => {
    assert.equal(parse('').config.metrics.server.ip, undefined);
    assert.equal(parse('').config.health.server.ip, undefined);
    assert.equal(parse('metrics: {server: {ip: 10.0.0.1}}').config.metrics.server.ip, '10.0.0.1');
  });

  it('takes a key or section without a value as not there, and an empty text where none is needed', () => {
    assert.deepEqual(parse('host:\n  ip:\nupload:\n').config, parse('').config);
    assert.equal(parse('host: {idc: ""}\nmanager: {caCert: ""}').config.host.idc, undefined);
  });

  it('names keys without effect in one warning, with the reason', () => {
    const { ineffective } = parse(
      'uplaod: {}\nupload: {bandwithLimit: 1}\nstorage: {keep: true}\nproxy: {server: {}}\n',
    );
    assert.deepEqual(ineffective.unknown, ['uplaod', 'upload.bandwithLimit']);
    assert.deepEqual(
      ineffective.ignored.map(({ key }) => key),
      ['storage.keep', 'proxy'],
    );
    const warning = describeIneffectiveKeys(ineffective, 'dfdaemon.yaml') ?? '';
    assert.match(warning, /dfdaemon\.yaml: unknown: uplaod, upload\.bandwithLimit; not supported: storage\.keep \(/);
    assert.equal(describeIneffectiveKeys(parse('').ineffective, 'x'), undefined);
  });

  it('takes keys under the names that they had before, and says what is wrong with them by today’s', () => {
    const policy = '{distThreshold: 10TiB, distHighThresholdPercent: 70, distLowThresholdPercent: 50}';
    const { config, ineffective } = parse(`gc:\n  policy: ${policy}\nupload: {rateLimit: 1MiB}\n`);
    assert.deepEqual(ineffective.unknown, []);
    assert.equal(config.gc.policy.diskThresholdBytes, 10 * 1024 ** 4);
    assert.deepEqual([config.gc.policy.diskHighThresholdPercent, config.gc.policy.diskLowThresholdPercent], [70, 50]);
    assert.equal(config.upload.bandwidthLimitBytesPerSecond, 1024 * 1024);
    assert.equal(
      parse('upload: {rateLimit: 1MiB, bandwidthLimit: 2MiB}').config.upload.bandwidthLimitBytesPerSecond,
      2 * 1024 * 1024,
    );
    assert.throws(
      () => parse('gc:\n  policy:\n    distThreshold: much\n'),
      /:3:\d+: gc\.policy\.diskThreshold: expected .*, found "much"/,
    );
  });

  it('a thousand unknown keys make a short warning', () => {
    const text = Array.from({ length: 1000 }, (_, index) => `${'k'.repeat(500)}${index}: 1`).join('\n');
    const warning = describeIneffectiveKeys(parse(text).ineffective, 'x') ?? '';
    assert.ok(warning.length < 20_000);
    assert.match(warning, /and 950 more$/);
  });

  it('never shows values of keys that may be secret', () => {
    const { ineffective } = parse(DRAGONFLY_YAML);
    assert.doesNotMatch(describeIneffectiveKeys(ineffective, 'x') ?? '', /not-for-logs/);
  });
});

describe('a wrong dfdaemon.yaml', () => {
  const cases: [name: string, text: string, message: string][] = [
    [
      'a rate in words',
      'upload:\n  bandwidthLimit: fast\n',
      'dfdaemon.yaml:2:19: upload.bandwidthLimit: expected bytes per second, more than 0, such as 512KiB, 50MiB or 10GB, found "fast"',
    ],
    [
      'a rate of 0, which would stop everything',
      'upload: {bandwidthLimit: 0}',
      'dfdaemon.yaml:1:26: upload.bandwidthLimit: expected bytes per second, more than 0, such as 512KiB, 50MiB or 10GB, found 0',
    ],
    [
      'a duration without its unit',
      'scheduler:\n  announceInterval: 300',
      'dfdaemon.yaml:2:21: scheduler.announceInterval: expected a duration with its unit, such as 500ms, 30s, 5m or 2h, found 300',
    ],
    [
      'an announced port that schedulers refuse',
      'upload: {server: {port: 80}}',
      'dfdaemon.yaml:1:25: upload.server.port: expected a port from 1024 to 65534, which is what schedulers accept, or 0 for any free one, found 80',
    ],
    [
      'an announced port that is one too high for them',
      'upload: {server: {port: 65535}}',
      'dfdaemon.yaml:1:25: upload.server.port: expected a port from 1024 to 65534, which is what schedulers accept, or 0 for any free one, found 65535',
    ],
    [
      'a name where an address belongs',
      'host:\n  ip: node-1',
      'dfdaemon.yaml:2:7: host.ip: expected an IPv4 or IPv6 address, found "node-1"',
    ],
    [
      'a relative path',
      'storage: {dir: data}',
      'dfdaemon.yaml:1:16: storage.dir: expected an absolute path, found "data"',
    ],
    [
      'one entry of a list',
      'scheduler:\n  addrs:\n    - a:1\n    - b\n',
      'dfdaemon.yaml:4:7: scheduler.addrs.1: expected a list of host:port, found "b"',
    ],
    [
      'a list where a section belongs',
      'upload:\n  - 1',
      'dfdaemon.yaml:2:3: upload: expected a mapping of keys, found a list of 1',
    ],
    ['a text as the whole file', 'hello', 'dfdaemon.yaml:1:1: expected a mapping of keys, found "hello"'],
    [
      'a level that there is not',
      'log: {levels: {upload: loud}}',
      'dfdaemon.yaml:1:24: log.levels.upload: expected a mapping of module names to one of trace, debug, info, warn, error, found "loud"',
    ],
    [
      'thresholds in the wrong order',
      'gc:\n  policy:\n    diskHighThresholdPercent: 50',
      'dfdaemon.yaml:3:5: gc.policy: expected diskHighThresholdPercent at or above diskLowThresholdPercent, found 50 and 60',
    ],
    [
      'a network with too many bits',
      'download: {originAllowList: [10.0.0.0/33]}',
      'dfdaemon.yaml:1:30: download.originAllowList.0: expected a list of addresses or networks such as 10.0.0.0/8 or fd00::/8, found "10.0.0.0/33"',
    ],
    [
      'a header that origins would not get',
      'backend:\n  requestHeader:\n    accept-encoding: gzip',
      "dfdaemon.yaml:3:22: backend.requestHeader.accept-encoding: can't be set: content is stored as it is, not compressed for the way; drop it",
    ],
    [
      'a header with a control character',
      'backend: {requestHeader: {X: "a\\u007f"}}',
      'dfdaemon.yaml:1:30: backend.requestHeader.X: expected a mapping of header names to texts without control characters, found "a\u007f"',
    ],
  ];
  for (const [name, text, message] of cases)
    it(`is refused by place and key: ${name}`, () => assert.equal(messageOf(text), message));

  it('has all its errors reported together, in the order of the file', () => {
    const error = errorOf(() => parse('upload:\n  queueLength: -1\ndownload:\n  pieceTimeout: 0s\ngc: 7\n'));
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, 'DFP_CONFIG');
    assert.deepEqual(
      error.issues.map(({ key, line }) => [key, line]),
      [
        ['upload.queueLength', 2],
        ['download.pieceTimeout', 4],
        ['gc', 5],
      ],
    );
  });

  it('with syntax errors, duplicate keys or several documents shows where', () => {
    assert.match(messageOf('a: [\n'), /^dfdaemon\.yaml:\d+:\d+: not valid YAML: /);
    assert.match(messageOf('host: {}\nhost: {}\n'), /^dfdaemon\.yaml:2:1: not valid YAML: Map keys must be unique/);
    assert.match(messageOf('host: {}\n---\nhost: {}\n'), /not valid YAML: Source contains multiple documents/);
  });

  it('with more entries than a list or mapping takes says how many those are', () => {
    const addresses = Array.from({ length: 1025 }, (_, index) => `"10.0.0.1:${index + 1}"`);
    const tooMany = 'takes at most 1024 entries, and has 1025';
    assert.equal(
      messageOf(`scheduler:\n  addrs: [${addresses.join(', ')}]\n`),
      `dfdaemon.yaml:2:10: scheduler.addrs: ${tooMany}`,
    );
    const headers = addresses.map((_, index) => `x-${index}: "1"`);
    assert.equal(
      messageOf(`backend:\n  requestHeader: {${headers.join(', ')}}\n`),
      `dfdaemon.yaml:2:18: backend.requestHeader: ${tooMany}`,
    );
  });

  it('of tens of thousands of keys is refused in seconds', function () {
    this.timeout(20_000);
    const keys = Array.from({ length: 60_000 }, (_, index) => `    "k ${index}": 1\n`);
    const issues = messageOf(`backend:\n  requestHeader:\n${keys.join('')}`).split('\n');
    assert.match(issues[0] ?? '', /^dfdaemon\.yaml:3:12: backend\.requestHeader\.k 0: expected/);
    assert.equal(issues.at(-1), '… and 59980 more');
  });

  it('that is an alias bomb is refused', () => {
    const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 9; level++)
      bomb.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`);
    assert.match(messageOf(bomb.join('\n')), /not usable YAML: Excessive alias count/);
  });

  it('that nests deeper than any configuration is refused at the level that is one too many', () => {
    const lists = (count: number): string => `host:\n  hostname: ${'['.repeat(count)}`;
    const most = MAX_YAML_DEPTH - 2; // two mappings are around the lists
    assert.match(messageOf(`${lists(most)}${']'.repeat(most)}`), /expected a host name/);
    assert.equal(messageOf(lists(most + 1)), `dfdaemon.yaml:2:${14 + most}: nested deeper than 64 levels`);
    for (const text of ['['.repeat(500_000), '- '.repeat(400_000), `${'? '.repeat(200_000)}x`, '[{'.repeat(200_000)])
      assert.match(messageOf(text), /^dfdaemon\.yaml:1:\d+: nested deeper than 64 levels$/);
  });

  it('with mappings in the place of keys is refused at once, however they nest', function () {
    this.timeout(2000);
    assert.match(messageOf(`${'? '.repeat(40)}x`), /^dfdaemon\.yaml:1:3: not valid YAML: .*all keys must be strings/);
  });

  it('finds the place of a value behind an alias', () => {
    assert.match(messageOf('x: &s\n  port: 99999\nstorage:\n  server: {tcpPort: 99999}\n'), /^dfdaemon\.yaml:4:21: /);
    assert.match(
      messageOf('x: &s {tcpPort: 99999}\nstorage:\n  server: *s\n'),
      /^dfdaemon\.yaml:1:17: storage\.server\.tcpPort/,
    );
  });
});

describe('reading the configuration file', () => {
  it('refuses what is missing, no regular file, or too large, naming it', () =>
    withDirectory(async (directory) => {
      const file = join(directory, 'dfdaemon.yaml');
      await assert.rejects(readConfigText(file), {
        code: 'DFP_CONFIG',
        message: new RegExp(`${file} does not exist`),
      });
      await mkdir(join(directory, 'd'));
      await assert.rejects(readConfigText(join(directory, 'd')), {
        code: 'DFP_CONFIG',
        message: /not a regular file/,
      });
      await writeFile(file, '#'.repeat(MAX_CONFIG_BYTES + 1));
      await assert.rejects(readConfigText(file), { code: 'DFP_CONFIG', message: /larger than 1048576 bytes/ });
      await writeFile(file, '#'.repeat(MAX_CONFIG_BYTES));
      await readConfigText(file);
    }));
});
