import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LyingProgram } from '../soak/lying-program.js';
import { SoakFile } from '../soak/soak-file.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
const SEED = 7;

describe('a peer that lies', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  const file = new SoakFile('file.bin', 24 * MIB, SEED);
  let origin: Origin;
  let daemon: DaemonProcess;
  let liar: LyingProgram;

  beforeEach(async () => {
    origin = await Origin.start(file.bytes({ offset: 0, length: file.size }));
    daemon = await DaemonProcess.start(join(directory(), 'daemon'), { download: { idleTimeout: '2s' } });
    liar = await LyingProgram.start({
      hostname: 'liar',
      scheduler: `127.0.0.1:${daemon.ports.scheduler ?? 0}`,
      seed: SEED,
      files: [{ name: file.name, size: file.size, url: origin.url() }],
    });
  });
  afterEach(async () => {
    liar.kill();
    await daemon.end();
    await origin.close();
  });

  it('is found out, given up and counted by its host, and the content is right', async () => {
    await until('the liar to be known', async () => daemon.output.some((line) => line.includes('127.0.0.1-liar')));
    const output = join(directory(), 'output');
    const result = await daemon.dfget(origin.url(), '-O', output);
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await readFile(output)).equals(origin.content));
    assert.ok((await daemon.metric('dfpeer_download_bad_pieces_total', { host: '127.0.0.1-liar' })) > 0);
    assert.ok((await daemon.metric('dragonfly_client_download_traffic', { type: 'BACK_TO_SOURCE' })) > 0);
    await daemon.end();
    assert.ok(daemon.output.some((line) => line.includes('a parent is given up')));
  });
});
