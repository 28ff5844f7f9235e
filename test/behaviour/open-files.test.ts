import assert from 'node:assert/strict';
import { DFDAEMON, run } from '../support/daemon-process.js';

/** Node 20 opens all modules at once, later ones one after the other. */
const TOO_FEW_FILES = 64;

describe('dfdaemon where hardly any file may be opened (ulimit -n)', function () {
  this.timeout(60_000);

  it('starts, or says what is to be raised', async () => {
    const limited = `ulimit -n ${TOO_FEW_FILES}; exec "$@"`;
    const { code, stderr } = await run('sh', ['-c', limited, 'sh', process.execPath, DFDAEMON, '--version']);
    if (code === 0) return;
    assert.equal(code, 4);
    assert.equal(
      stderr.trimEnd(),
      'dfdaemon: too few files may be open to load the program; raise ulimit -n (LimitNOFILE) [DFP_LIMIT]',
    );
  });
});
