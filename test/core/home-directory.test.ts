import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { skipLoudly } from '../support/skip.js';

/** Nobody's, as those that container platforms choose. */
const UNKNOWN_UID = 54_321;

describe('the home directory', () => {
  function find(env: NodeJS.ProcessEnv, user: { uid?: number; gid?: number } = {}): string {
    const url = new URL('../../src/core/home-directory.js', import.meta.url).href;
    const program = `import { homeDirectory } from ${JSON.stringify(url)}; console.log(homeDirectory());`;
    const args = ['--input-type=module', '-e', program];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env, cwd: '/', ...user });
    return stdout.trim() + stderr;
  }

  it('is what HOME says', () => {
    assert.equal(find({ HOME: '/home/ann' }), '/home/ann');
  });

  it("is the user's own where HOME is none", () => {
    assert.equal(find({}), userInfo().homedir);
    assert.equal(find({ HOME: '' }), userInfo().homedir);
    assert.equal(find({ HOME: 'somewhere' }), userInfo().homedir);
  });

  it('is / for a user that the system does not know', function () {
    if (process.getuid?.() !== 0) skipLoudly(this, 'only root can be somebody else');
    assert.equal(find({}, { uid: UNKNOWN_UID, gid: UNKNOWN_UID }), '/');
    assert.equal(find({ HOME: '/data' }, { uid: UNKNOWN_UID, gid: UNKNOWN_UID }), '/data');
  });
});
