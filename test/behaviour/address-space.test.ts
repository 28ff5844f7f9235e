import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

/** What a batch system may leave to a job. */
const ADDRESS_SPACE_KIB = 4 * 1024 * 1024;

describe('a daemon whose addresses are limited (ulimit -v)', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();

  it('downloads, and gives to a daemon like it', async () => {
    const origin = await Origin.start(12 * 1024 * 1024);
    const daemons: DaemonProcess[] = [];
    const start = async (name: string, config = {}): Promise<DaemonProcess> => {
      const wrap = ['sh', '-c', `ulimit -v ${ADDRESS_SPACE_KIB}; exec "$@"`, 'sh'];
      const daemon = await DaemonProcess.start(join(directory(), name), config, { wrap });
      daemons.push(daemon);
      return daemon;
    };
    try {
      const parent = await start('parent');
      const addrs = [`127.0.0.1:${parent.ports.scheduler ?? 0}`];
      const child = await start('child', { scheduler: { addrs, embedded: { enable: false } } });
      for (const daemon of [parent, child]) {
        const output = join(daemon.directory, 'output');
        const { code, stderr } = await daemon.dfget(origin.url(), '-O', output, '--no-progress');
        assert.equal(code, 0, stderr);
        assert.ok((await readFile(output)).equals(origin.content));
      }
      assert.equal(await parent.metric('dfpeer_upload_bytes_total', { route: 'sendfile' }), origin.content.length);
    } finally {
      await Promise.all(daemons.map((daemon) => daemon.end()));
      await origin.close();
    }
  });
});
