import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

describe('an output that comes through the socket', function () {
  this.timeout(60_000);
  const shared = useSharedDirectory();
  const directory = useTemporaryDirectory();
  let origin: Origin;
  let daemon: DaemonProcess;
  let out: string;

  before(async () => {
    daemon = await DaemonProcess.start(join(shared(), 'daemon'), { download: { concurrentPieceCount: 2 } });
  });

  after(() => daemon.end());

  beforeEach(async () => {
    out = join(directory(), 'out');
    await mkdir(out);
  });

  afterEach(() => origin.close());

  it('has nothing left of a longer content that the origin replaced meanwhile', async () => {
    origin = await Origin.start(32 * MIB, { bytesPerSecond: 16 * MIB, etag: '"old"' });
    const traffic = (): Promise<number> => daemon.metric('dragonfly_client_download_traffic');
    const before = await traffic();
    const done = daemon.dfget(origin.url(), '-O', join(out, 'file'), '--transfer-from-dfdaemon');
    await until('more to have come than there will be', async () => (await traffic()) - before >= 16 * MIB);
    origin.replace(randomBytes(9 * MIB), { etag: '"new"' });
    const result = await done;
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await readFile(join(out, 'file'))).equals(origin.content));
    assert.deepEqual(await readdir(out), ['file']);
  });

  it('has the digest that was asked for when the node first sends what it stored earlier', async () => {
    origin = await Origin.start(20 * MIB, { etag: '"old"' });
    const first = await daemon.dfget(origin.url(), '-O', join(out, 'first'));
    assert.equal(first.code, 0, first.stderr);
    origin.replace(randomBytes(9 * MIB), { etag: '"new"' });
    const flags = ['--transfer-from-dfdaemon', '--digest', `sha256:${origin.sha256}`];
    const second = await daemon.dfget(origin.url(), '-O', join(out, 'second'), ...flags);
    assert.equal(second.code, 0, second.stderr);
    assert.ok((await readFile(join(out, 'second'))).equals(origin.content));
  });
});
