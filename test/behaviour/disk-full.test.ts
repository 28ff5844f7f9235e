import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
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
  const { directory, path: disk, fill } = useSmallDisk(48);

  it('has the tasks that were not used for longest make room', async () => {
    const sizes = [8, 8, 8, 24];
    // Nothing but having been there just now tells that what is stored is still theirs.
    const origins = await Promise.all(sizes.map((mebibytes) => Origin.start(mebibytes * MIB, { etag: null })));
    const daemon = await DaemonProcess.start(join(directory(), 'daemon'), { storage: { dir: disk() } });
    try {
      for (const [index, origin] of origins.entries()) {
        const path = join(directory(), `out-${index}`);
        const { code, stderr } = await daemon.dfget(origin.url(), '-O', path, '--no-progress');
        assert.equal(code, 0, stderr);
        assert.ok((await readFile(path)).equals(origin.content));
      }
      const comeBytes = origins.at(-1)?.contentBytes ?? 0;
      assert.ok(comeBytes < 40 * MIB, `what had come before there was room is kept: ${comeBytes}`);
      const stored = (await readdir(join(disk(), 'dfpeer/content'), { recursive: true })).map((name) => basename(name));
      const isStored = origins.map((origin) => stored.includes(computeTaskId({ url: origin.url() })));
      assert.deepEqual(isStored, [false, false, true, true]);
      const scraped = await (await fetch(`http://127.0.0.1:${daemon.ports.metrics}/metrics`)).text();
      assert.match(scraped, /^dfpeer_gc_removed_tasks_total\{reason="room"\} 2$/m);
      assert.equal(await daemon.end(), 0);
    } finally {
      await daemon.end('SIGKILL');
      await Promise.all(origins.map((origin) => origin.close()));
    }
  });

  it('fails the download that would not fit even so, while uploads go on', async () => {
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

  it('gives what is stored, of which it can note nothing more', async () => {
    const origin = await Origin.start(MIB);
    const daemon = await DaemonProcess.start(join(directory(), 'daemon'), { storage: { dir: disk() } });
    const digest = `sha256:${createHash('sha256').update(origin.content).digest('hex')}`;
    try {
      for (let time = 0; time < 6; time++) {
        const path = join(directory(), `out-${time}`);
        const { code, stderr } = await daemon.dfget(origin.url(), '-O', path, '--digest', digest, '--no-progress');
        assert.equal(code, 0, `${time}: ${stderr}`);
        assert.ok((await readFile(path)).equals(origin.content));
        await fill();
      }
      assert.equal(await daemon.end(), 0);
    } finally {
      await daemon.end('SIGKILL');
      await origin.close();
    }
  });
});
