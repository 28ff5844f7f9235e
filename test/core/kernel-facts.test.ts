import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { run } from '../support/daemon-process.js';

/** Takes every descriptor, then asks for everything that Node needs one for. */
const WITHOUT_DESCRIPTORS = `
  import { openSync } from 'node:fs';
  import { networkInterfaces, residentBytes } from '${sourceUrl('core/kernel-facts.js')}';
  import { HostLoadSampler } from '${sourceUrl('peer/host-load/host-load.js')}';
  console.log(''); // stdout wants one of its own
  try {
    for (;;) openSync('/dev/null');
  } catch (error) {
    if (error.code !== 'EMFILE') throw error;
  }
  const load = await new HostLoadSampler({ ip: '127.0.0.1', dataDirectory: '/' }).sample();
  console.log(JSON.stringify([residentBytes() ?? null, networkInterfaces(), load.memory.processUsedPercent]));
`;

describe('what the kernel tells of machine and process', function () {
  this.timeout(30_000);

  it('is unknown while no descriptor is free to ask with, instead of thrown', async () => {
    const limited = [
      '-c',
      'ulimit -n 64; exec "$0" --input-type=module -e "$1"',
      process.execPath,
      WITHOUT_DESCRIPTORS,
    ];
    const { code, stdout, stderr } = await run('sh', limited);
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), [null, {}, 0]);
  });
});

function sourceUrl(module: string): string {
  return fileURLToPath(new URL(`../../src/${module}`, import.meta.url));
}
