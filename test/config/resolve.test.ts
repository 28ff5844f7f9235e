import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { NetworkInterfaceInfo } from 'node:os';
import { join } from 'node:path';
import type { DaemonConfig, DaemonOverrides } from '../../src/config/daemon-config.js';
import { detectIp } from '../../src/config/host-defaults.js';
import { findPlaces } from '../../src/config/places.js';
import { resolveDaemonConfig } from '../../src/config/resolve.js';
import { DRAGONFLY_YAML } from './dragonfly-yaml.js';
import { NO_OVERRIDES, withDirectory } from './support.js';

function address(ip: string, family: 'IPv4' | 'IPv6', internal = false): NetworkInterfaceInfo {
  const common = { address: ip, netmask: '', mac: '', internal, cidr: null };
  return family === 'IPv4' ? { ...common, family } : { ...common, family, scopeid: 0 };
}

const FACTS = {
  hostname: 'machine',
  interfaces: {
    lo: [address('127.0.0.1', 'IPv4', true)],
    eth0: [address('fe80::1', 'IPv6'), address('fd00::5', 'IPv6'), address('10.0.0.5', 'IPv4')],
  },
};

/** Resolves with `file` as the home's dfdaemon.yaml, if given. */
async function resolveWith(
  directory: string,
  overrides: Partial<DaemonOverrides> = {},
  files: Record<string, string> = {},
): Promise<DaemonConfig> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  const places = findPlaces({ env: { DFPEER_HOME: directory }, uid: 0, home: '/' });
  return resolveDaemonConfig({ ...NO_OVERRIDES, ...overrides }, { places, facts: FACTS, processors: 8 });
}

describe('the resolved configuration', () => {
  it('without anything runs an embedded scheduler, listens everywhere and knows the machine', () =>
    withDirectory(async (directory) => {
      const config = await resolveWith(directory);
      assert.equal(config.configFile, undefined);
      assert.deepEqual(config.scheduler.from, { kind: 'embedded' });
      assert.equal(config.scheduler.embedded.enable, true);
      assert.equal(config.scheduler.embedded.ip, '0.0.0.0');
      assert.equal(config.upload.server.ip, '0.0.0.0');
      assert.equal(config.metrics.server.ip, '0.0.0.0');
      assert.equal(config.host.hostname, 'machine');
      assert.equal(config.host.ip, '10.0.0.5');
      assert.equal(config.upload.engineWorkers, 4);
      assert.equal(config.download.server.socketPath, join(directory, 'dfdaemon.sock'));
      assert.equal(config.storage.dir, join(directory, 'data'));
      assert.equal(config.log.dir, join(directory, 'log'));
      assert.deepEqual(config.warnings, []);
    }));

  it('takes a file of Dragonfly as it is, with one warning', () =>
    withDirectory(async (directory) => {
      const config = await resolveWith(directory, {}, { 'dfdaemon.yaml': DRAGONFLY_YAML });
      assert.equal(config.configFile, join(directory, 'dfdaemon.yaml'));
      assert.deepEqual(config.scheduler.from, { kind: 'manager', addr: 'http://manager.example.org:65003' });
      assert.equal(config.scheduler.embedded.enable, false);
      assert.equal(config.host.hostname, 'node-1');
      assert.equal(config.storage.dir, '/var/lib/dragonfly/');
      assert.equal(config.warnings.length, 1);
      assert.match(config.warnings[0] ?? '', /not supported: server\.pluginDir/);
    }));

  it('an explicit file must be there, a default one need not', () =>
    withDirectory(async (directory) => {
      const configFile = join(directory, 'other.yaml');
      await assert.rejects(resolveWith(directory, { configFile }), { code: 'DFP_CONFIG', message: /other\.yaml/ });
      await assert.rejects(resolveWith(directory, { dynconfigFile: configFile }), { code: 'DFP_CONFIG' });
    }));

  it('flags win over the file', () =>
    withDirectory(async (directory) => {
      const config = await resolveWith(
        directory,
        { schedulers: ['a:1'], aliveTimeMs: 5, logDir: '/flag/log' },
        { 'dfdaemon.yaml': 'scheduler: {addrs: ["b:2"]}\ndownload: {aliveTime: 9s}\n' },
      );
      assert.deepEqual(config.scheduler.from, { kind: 'static', addrs: ['a:1'] });
      assert.equal(config.download.aliveTimeMs, 5);
      assert.equal(config.log.dir, '/flag/log');
    }));

  it('chooses schedulers: flag, scheduler.addrs, manager, dynconfig, embedded', () =>
    withDirectory(async (directory) => {
      const addrs = 'scheduler: {addrs: ["b:2"]}\n';
      const manager = 'manager: {addr: "m:3"}\n';
      const dynconfig = { 'dynconfig.yaml': 'scheduler: {addr: "s:4"}' };
      const from = async (yaml: string, overrides: Partial<DaemonOverrides> = {}): Promise<string> => {
        const config = await resolveWith(directory, overrides, { 'dfdaemon.yaml': yaml });
        return config.scheduler.from.kind === 'static'
          ? config.scheduler.from.addrs.join()
          : config.scheduler.from.kind;
      };
      assert.equal(await from(''), 'embedded');
      assert.equal(await from('scheduler: {embedded: {enable: false}}'), 'none');
      await resolveWith(directory, {}, dynconfig);
      assert.equal(await from(''), 'dynconfig');
      assert.equal(await from(manager), 'manager');
      assert.equal(await from(manager + addrs), 'b:2');
      assert.equal(await from(manager + addrs, { schedulers: ['a:1'] }), 'a:1');
    }));

  it('says so when an explicit dynconfig file is not read', () =>
    withDirectory(async (directory) => {
      const config = await resolveWith(directory, { dynconfigFile: '/d.yaml', schedulers: ['a:1'] });
      assert.deepEqual(config.warnings, ['/d.yaml is not read: scheduler addresses are given']);
    }));

  it('refuses a broken dynconfig file at start', () =>
    withDirectory(async (directory) => {
      await assert.rejects(resolveWith(directory, {}, { 'dynconfig.yaml': 'scheduler:\n  addrs: [s:4]\n' }), {
        code: 'DFP_CONFIG',
        message: /dynconfig\.yaml:2:11: scheduler\.addrs\.0: /,
      });
    }));

  it('can run an embedded scheduler next to configured ones', () =>
    withDirectory(async (directory) => {
      const yaml = 'scheduler: {addrs: ["127.0.0.1:8002"], embedded: {enable: true}}';
      const { scheduler } = await resolveWith(directory, {}, { 'dfdaemon.yaml': yaml });
      assert.equal(scheduler.from.kind, 'static');
      assert.equal(scheduler.embedded.enable, true);
    }));

  it('in loopback mode listens and is announced on 127.0.0.1 only, whatever the file says', () =>
    withDirectory(async (directory) => {
      const config = await resolveWith(directory, { isLoopbackOnly: true }, { 'dfdaemon.yaml': DRAGONFLY_YAML });
      const { upload, storage, scheduler, metrics, health, host } = config;
      const servers = [upload.server, storage.server, scheduler.embedded, metrics.server, health.server];
      assert.deepEqual(new Set([host.ip, ...servers.map(({ ip }) => ip)]), new Set(['127.0.0.1']));
    }));

  it('with IPv6 listens on :: and prefers an IPv6 address', () =>
    withDirectory(async (directory) => {
      const config = await resolveWith(directory, {}, { 'dfdaemon.yaml': 'network: {enableIPv6: true}' });
      assert.equal(config.upload.server.ip, '::');
      assert.equal(config.host.ip, 'fd00::5');
    }));

  it('is frozen at every depth', () =>
    withDirectory(async (directory) => {
      const config = await resolveWith(directory);
      const isFrozen = (value: unknown): boolean =>
        typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen));
      assert.ok(isFrozen(config));
    }));

  it('refuses a directory whose socket path is too long, naming what to change', () =>
    withDirectory(async (directory) => {
      const places = findPlaces({ env: { DFPEER_HOME: `${directory}/${'x'.repeat(100)}` }, uid: 0, home: '/' });
      await assert.rejects(resolveDaemonConfig(NO_OVERRIDES, { places }), {
        code: 'DFP_CONFIG',
        message: /^DFPEER_HOME: .*at most 107 bytes/,
      });
    }));
});

describe('the detected address', () => {
  it('is 127.0.0.1 on a machine without network', () => {
    assert.equal(detectIp({ hostname: '', interfaces: { lo: FACTS.interfaces.lo } }, false), '127.0.0.1');
    assert.equal(detectIp({ hostname: '', interfaces: {} }, true), '127.0.0.1');
  });

  it('is never a link-local IPv6 one', () => {
    assert.equal(detectIp({ hostname: '', interfaces: { e: [address('fe80::1', 'IPv6')] } }, true), '127.0.0.1');
  });
});
