import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findPlaces } from '../../src/config/places.js';
import { run } from '../support/daemon-process.js';
import { hasProgram, skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { readDeployed, ROOT } from './support/deploy-files.js';

/** What `systemd-analyze security` says at most: 0 is everything locked, 10 nothing. */
const MAX_EXPOSURE = 2;

/** Values of the unit's directives, the last of several. */
async function readUnit(): Promise<Map<string, string>> {
  const text = await readDeployed('systemd', 'dfdaemon.service');
  return new Map([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
}

describe('deploy/systemd', function () {
  this.timeout(30_000);
  const directory = useTemporaryDirectory();
  const places = findPlaces({ env: { DFPEER_PLACES: 'system' }, uid: 1000, home: '/nowhere' });

  /** The unit as it would be where dfpeer is installed. */
  async function installed(): Promise<string> {
    const path = join(directory(), 'dfdaemon.service');
    const text = await readDeployed('systemd', 'dfdaemon.service');
    await writeFile(path, text.replaceAll('/opt/dfpeer/', ROOT).replace(/^Documentation=.*\n/m, ''));
    return path;
  }

  it('has a unit that systemd takes without a word', async function () {
    if (!hasProgram('systemd-analyze')) skipLoudly(this, 'systemd-analyze is not installed');
    const { code, stdout, stderr } = await run('systemd-analyze', ['verify', await installed()]);
    assert.deepEqual([code, stdout + stderr], [0, '']);
  });

  it('exposes little', async function () {
    if (!hasProgram('systemd-analyze')) skipLoudly(this, 'systemd-analyze is not installed');
    const { stdout } = await run('systemd-analyze', ['security', '--offline=yes', '--no-pager', await installed()]);
    const [, level] = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout) ?? [];
    assert.ok(Number(level) <= MAX_EXPOSURE, stdout);
  });

  it('tells systemd when it is ready and alive, and gives it time to drain', async () => {
    const unit = await readUnit();
    assert.equal(unit.get('Type'), 'notify');
    assert.ok(Number(unit.get('WatchdogSec')) > 0);
    // Two drains of 30 s, one after the other.
    assert.ok(Number(unit.get('TimeoutStopSec')) > 60);
    assert.equal(unit.get('ExecReload'), '/bin/kill -HUP $MAINPID');
  });

  it('runs as a user of its own, in the directories that Dragonfly has', async () => {
    const unit = await readUnit();
    const sysusers = await readDeployed('systemd', 'dfpeer.sysusers.conf');
    assert.match(sysusers, new RegExp(`^u ${unit.get('User') ?? ''} `, 'm'));
    assert.equal(unit.get('Environment'), 'DFPEER_PLACES=system');
    assert.equal(join('/var/lib', unit.get('StateDirectory') ?? ''), places.dataDir);
    assert.equal(join('/var/log', unit.get('LogsDirectory') ?? ''), places.logDir);
    assert.equal(join('/var/run', unit.get('RuntimeDirectory') ?? '', 'dfdaemon.sock'), places.socketPath);
  });

  it('refers to the manual page that there is', async () => {
    const [, page = '', section = ''] = /^man:(\w+)\((\d)\)$/.exec((await readUnit()).get('Documentation') ?? '') ?? [];
    assert.ok(existsSync(join(ROOT, 'man', `${page}.${section}`)), `${page}(${section})`);
  });

  it('has tmpfiles for the same directories', async () => {
    const text = await readDeployed('systemd', 'dfpeer.tmpfiles.conf');
    const made = [...text.matchAll(/^d (\S+) (\d{4}) (\S+)/gm)].map(([, path]) => path);
    for (const path of [places.dataDir, places.logDir, '/run/dragonfly']) assert.ok(made.includes(path), path);
  });
});
