import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonProcess } from '../support/daemon-process.js';
import { freePort } from '../support/free-port.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { useEnds } from '../support/use-ends.js';

const MIB = 1024 * 1024;
const SIZE = 24 * MIB;

describe('a scheduler that is killed and restarted during a download', function () {
  this.timeout(120_000);
  const directory = useTemporaryDirectory();
  const ends = useEnds();

  async function startDaemon(name: string, scheduler: object): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start(join(directory(), name), { host: { hostname: name }, scheduler });
    ends.push(() => daemon.end());
    return daemon;
  }

  async function get(daemon: DaemonProcess, origin: Origin): Promise<void> {
    const output = join(daemon.directory, 'output');
    const { code, stderr } = await daemon.dfget(origin.url(), '-O', output, '--no-progress');
    assert.equal(code, 0, stderr);
    assert.ok((await readFile(output)).equals(origin.content));
  }

  it('hears of the copy when it is complete', async () => {
    const origin = await Origin.start(SIZE, { bytesPerSecond: 4 * MIB });
    ends.push(() => origin.close());
    const port = await freePort();
    const scheduler = await startDaemon('scheduler', { embedded: { enable: true, ip: '127.0.0.1', port } });
    const client = { addrs: [`127.0.0.1:${port}`], embedded: { enable: false } };
    const [parent, child] = [await startDaemon('parent', client), await startDaemon('child', client)];
    const download = get(parent, origin);
    await until('some of it to be there', async () => (await parent.metric('dragonfly_client_download_traffic')) > 0);
    scheduler.signal('SIGKILL');
    await scheduler.end();
    await scheduler.restart();
    const hosts = (): Promise<number> => scheduler.metric('dfpeer_scheduler_hosts');
    await until('all to be back', async () => (await hosts()) === 3);
    await download;
    const tasks = (): Promise<number> => scheduler.metric('dfpeer_scheduler_peers', { state: 'Succeeded' });
    await until('the copy to be announced', async () => (await tasks()) === 1);
    await get(child, origin);
    assert.equal(origin.contentBytes, SIZE, 'the origin was asked for content again');
  });
});
