import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DaemonConfig } from '../../src/config/daemon-config.js';
import { findPlaces } from '../../src/config/places.js';
import { mergeReloaded } from '../../src/config/reload.js';
import { resolveDaemonConfig } from '../../src/config/resolve.js';
import { NO_OVERRIDES, withDirectory } from './support.js';

async function resolveText(directory: string, text: string): Promise<DaemonConfig> {
  await writeFile(join(directory, 'dfdaemon.yaml'), text);
  const places = findPlaces({ env: { DFPEER_HOME: directory }, uid: 0, home: '/' });
  return resolveDaemonConfig(NO_OVERRIDES, { places });
}

describe('reloading the configuration', () => {
  it('takes over what can change and names what takes a restart', () =>
    withDirectory(async (directory) => {
      const running = await resolveText(directory, '');
      const read = await resolveText(
        directory,
        'upload: {bandwidthLimit: 50MiB, queueLength: 7}\nscheduler: {addrs: ["a:1"]}\nlog: {levels: {upload: debug}}\n',
      );
      const { config, changed, needRestart } = mergeReloaded(running, read);
      assert.deepEqual(changed, ['upload.bandwidthLimit', 'log.levels']);
      assert.deepEqual(needRestart, ['upload.queueLength', 'scheduler.addrs', 'scheduler.embedded.enable']);
      assert.equal(config.upload.bandwidthLimitBytesPerSecond, 50 * 1024 * 1024);
      assert.deepEqual(config.log.levels, { upload: 'debug' });
      assert.equal(config.upload.queueLength, 1000);
      assert.deepEqual(config.scheduler.from, { kind: 'embedded' });
    }));

  it('of an unchanged file changes nothing', () =>
    withDirectory(async (directory) => {
      const running = await resolveText(directory, 'upload: {perTaskBandwidthLimit: 1MiB}');
      const { config, changed, needRestart } = mergeReloaded(
        running,
        await resolveText(directory, 'upload: {perTaskBandwidthLimit: 1024KiB}'),
      );
      assert.deepEqual([changed, needRestart], [[], []]);
      assert.deepEqual(config, running);
    }));

  it('drops a limit that is no longer in the file', () =>
    withDirectory(async (directory) => {
      const running = await resolveText(directory, 'upload: {perTaskBandwidthLimit: 1MiB}');
      const { config, changed } = mergeReloaded(running, await resolveText(directory, ''));
      assert.deepEqual(changed, ['upload.perTaskBandwidthLimit']);
      assert.equal(config.upload.perTaskBandwidthLimitBytesPerSecond, undefined);
    }));
});
