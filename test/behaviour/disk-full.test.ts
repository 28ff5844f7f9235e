import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { computeTaskId } from '../../src/core/task-id.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useSmallDisk } from '../support/small-disk.js';

const MIB = 1024 * 1024;

/** What other peers get of the origin's content, over HTTP. */
async function served(daemon: DaemonProcess, origin: Origin): Promise<Buffer> {
  const taskId = computeTaskId({ url: origin.url() });
  const path = `/download/${taskId.slice(0, 3)}/${taskId}?peerId=test`;
  const response = await fetch(`http://127.0.0.1:${daemon.ports.http}${path}`);
  assert.equal(response.status, 200);
  return Buffer.from(await response.arrayBuffer());
}

describe('a full disk', function () {
  this.timeout(120_000);
  const { directory, path: disk } = useSmallDisk(48);

  it('fails the download with its reason, while uploads go on', async () => {
    const [small, large] = [await Origin.start(12 * MIB), await Origin.start(80 * MIB)];
    const daemon = await DaemonProcess.start(join(directory(), 'daemon'), { storage: { dir: disk() } });
    const out = (name: string): string[] => ['-O', join(directory(), name), '--no-progress'];
    try {
      const first = await daemon.dfget(small.url(), ...out('small'));
      assert.equal(first.code, 0, first.stderr);
      const failed = await daemon.dfget(large.url(), ...out('large'));
      assert.match(failed.stderr, /DFP_STORE_FULL/);
      assert.notEqual(failed.code, 0);
      assert.ok(!(await readdir(directory())).includes('large'), 'there is no output');
      assert.ok((await served(daemon, small)).equals(small.content), 'what is stored is uploaded');
      const again = await daemon.dfget(small.url(), ...out('again'));
      assert.equal(again.code, 0, again.stderr);
      assert.ok(small.contentBytes <= small.content.length, 'the stored task is served from here');
      assert.equal(await daemon.end(), 0);
    } finally {
      await daemon.end('SIGKILL');
      await Promise.all([small.close(), large.close()]);
    }
  });
});
