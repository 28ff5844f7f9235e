import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DAEMON_NODE_OPTIONS } from '../../src/cli/daemon-node-options.js';
import { DFDAEMON, run } from '../support/daemon-process.js';

describe('bin/dfdaemon', () => {
  it('runs Node with the options that dfget starts a daemon with', () => {
    const [, command = ''] = readFileSync(DFDAEMON, 'utf8').split('\n');
    assert.match(command, /exec node (.*) "\$0"/);
    assert.deepEqual(/exec node (.*) "\$0"/.exec(command)?.[1]?.split(' '), DAEMON_NODE_OPTIONS);
  });

  it('is a program for the shell and one for Node', async () => {
    const byShell = await run(DFDAEMON, ['--version']);
    const byNode = await run(process.execPath, [DFDAEMON, '--version']);
    assert.deepEqual([byShell.code, byNode.code], [0, 0]);
    assert.equal(byShell.stdout, byNode.stdout);
  });
});
