import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { DaemonProcess, run, type ProcessResult } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { examples, readDocument, replaceEach, ROOT } from './support.js';

const MIB = 1024 * 1024;
const EXAMPLE_URL = 'https://example.com/model.bin';

describe('docs/QUICKSTART.md', function () {
  this.timeout(90_000);
  const directory = useTemporaryDirectory();
  let origin: Origin;
  const daemons: DaemonProcess[] = [];

  beforeEach(async () => {
    origin = await Origin.start(9 * MIB);
  });

  afterEach(async () => {
    await Promise.all(daemons.splice(0).map((daemon) => daemon.end()));
    await origin.close();
  });

  async function commands(section: string): Promise<string[]> {
    const [, text = ''] = (await readDocument('QUICKSTART.md')).split(`\n## ${section}\n`);
    return examples(text.split('\n## ')[0] ?? '', 'sh').flatMap((block) => block.trim().split('\n'));
  }

  /** The command as it stands, but for addresses that can't be the reader's. */
  function type(command: string, env: NodeJS.ProcessEnv, ports: Record<string, string> = {}): Promise<ProcessResult> {
    const own = { [EXAMPLE_URL]: origin.url('/model.bin'), DIGEST: origin.sha256, ...ports };
    const line = replaceEach(command, own);
    const script = `cd ${JSON.stringify(directory())} && PATH=${JSON.stringify(ROOT)}${delimiter}$PATH && ${line.replace(/^bin\//, `${ROOT}bin/`)}`;
    return run('bash', ['-c', script], env);
  }

  it('one node: every command does what is said, without anything running before', async () => {
    const env = { DFPEER_HOME: directory(), DFPEER_ALIVE_TIME: '4s' };
    const [first = '', again = '', part = '', checked = '', ...others] = await commands('One node');
    assert.deepEqual(others, []);
    const started = await type(first, env);
    assert.equal(started.code, 0, started.stderr);
    assert.match(started.stderr, /started|starting/);
    assert.ok((await readFile(join(directory(), 'model.bin'))).equals(origin.content));
    const served = origin.contentBytes;
    for (const command of [again, part, checked]) {
      const { code, stderr } = await type(command, env);
      assert.equal(code, 0, `${command}: ${stderr}`);
    }
    assert.equal(origin.contentBytes, served);
    assert.ok((await readFile(join(directory(), 'part.bin'))).equals(origin.content.subarray(0, 1000)));
    assert.ok((await readFile(join(directory(), 'checked.bin'))).equals(origin.content));
    await until('the daemon to end by itself', async () => !existsSync(join(directory(), 'dfdaemon.sock')));
  });

  it('two nodes: the second takes the file from the first, and its metrics say so', async () => {
    const [first = '', second = '', get = '', look = '', ...others] = await commands('Two nodes');
    assert.deepEqual(others, []);
    assert.equal(first, 'bin/dfdaemon');
    const [program, ...args] = second.split(' ');
    assert.equal(program, 'bin/dfdaemon');
    // As started by hand, but on free ports.
    const a = await DaemonProcess.start(join(directory(), 'a'));
    daemons.push(a);
    const scheduler = `127.0.0.1:${a.ports.scheduler ?? 0}`;
    const flags = args.map((arg) => arg.replace('FIRST:8002', scheduler));
    const b = await DaemonProcess.start(
      join(directory(), 'b'),
      { scheduler: { embedded: { enable: false } } },
      { args: flags },
    );
    daemons.push(b);
    for (const { directory: home } of daemons) {
      const { code, stderr } = await type(`${get} --overwrite`, { DFPEER_HOME: home });
      assert.equal(code, 0, stderr);
    }
    assert.equal(origin.contentBytes, 9 * MIB);
    const { stdout } = await type(look, {}, { 4002: String(b.ports.metrics) });
    assert.match(stdout, new RegExp(`dragonfly_client_download_traffic\\{type="REMOTE_PEER"\\} ${9 * MIB}`));
  });
});
