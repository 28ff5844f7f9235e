import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, type ProcessResult } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { ROOT } from '../docs/support.js';

/** What root becomes, to see that nothing needs root: nobody. */
const UNPRIVILEGED_ID = 65534;

describe('dfpeer as it is given away', function () {
  this.timeout(300_000);
  const directory = useTemporaryDirectory();
  let origin: Origin;

  before(function () {
    if (process.env.DFPEER_TEST_PACKAGE === undefined) skipLoudly(this, 'it takes minutes: npm run test:package');
  });

  beforeEach(async () => {
    // Others than its owner must get in.
    await chmod(directory(), 0o755);
    origin = await Origin.start(5 * 1024 * 1024);
  });

  afterEach(() => origin.close());

  async function must(program: string, ...args: string[]): Promise<ProcessResult> {
    const result = await run(program, args);
    assert.equal(result.code, 0, `${program} ${args.join(' ')}\n${result.stdout}${result.stderr}`);
    return result;
  }

  /** A download without anything but the package, Node and an empty home, as nobody where we are root. */
  async function tryDownload(dfget: string): Promise<void> {
    const home = join(directory(), 'home');
    await mkdir(home);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await chown(home, UNPRIVILEGED_ID, UNPRIVILEGED_ID);
    const nobody = ['setpriv', `--reuid=${UNPRIVILEGED_ID}`, `--regid=${UNPRIVILEGED_ID}`, '--clear-groups'];
    const clean = ['env', '-i', `PATH=${process.env.PATH ?? ''}`, `HOME=${home}`, 'DFPEER_ALIVE_TIME=3s'];
    const command = [dfget, origin.url('/got.bin'), '-O', join(home, 'got.bin'), '--no-progress'];
    const [program = '', ...args] = [...(isRoot ? nobody : []), ...clean, ...command];
    await must(program, ...args);
    assert.ok((await readFile(join(home, 'got.bin'))).equals(origin.content));
  }

  it('installs globally from what npm pack makes, and works', async () => {
    await must('npm', 'pack', ROOT, '--ignore-scripts', '--pack-destination', directory());
    const [tarball = ''] = (await readdir(directory())).filter((name) => name.endsWith('.tgz'));
    const prefix = join(directory(), 'prefix');
    await must(
      'npm',
      'install',
      '-g',
      '--prefix',
      prefix,
      '--prefer-offline',
      '--no-audit',
      join(directory(), tarball),
    );
    const { stdout } = await must(join(prefix, 'bin', 'dfdaemon'), '--version');
    assert.match(stdout, /^dfdaemon \d/);
    await tryDownload(join(prefix, 'bin', 'dfget'));
  });

  it('runs from wherever its tarball is unpacked, with nothing but Node', async () => {
    const script = join(ROOT, 'scripts', 'make-tarball.mjs');
    const { stdout } = await must(process.execPath, script, '--out', directory());
    const target = join(directory(), 'some where');
    await mkdir(target);
    await must('tar', '-C', target, '-xzf', stdout.trim());
    const [folder = ''] = await readdir(target);
    const files = await readdir(join(target, folder));
    for (const name of ['LICENSE', 'THIRD-PARTY-LICENCES', 'README.md', 'docs', 'deploy', 'bin'])
      assert.ok(files.includes(name), name);
    const packages = await readdir(join(target, folder, 'node_modules'));
    for (const name of ['typescript', 'mocha', 'eslint']) assert.ok(!packages.includes(name), name);
    await tryDownload(join(target, folder, 'bin', 'dfget'));
  });
});
