import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXPLANATIONS } from '../../src/docs/errors.js';
import { DaemonProcess, dfget, DFGET, type ProcessResult, run } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

describe('dfget', function () {
  this.timeout(60_000);
  const shared = useSharedDirectory();
  const directory = useTemporaryDirectory();
  let origin: Origin | undefined;
  let daemon: DaemonProcess;

  before(async () => {
    daemon = await DaemonProcess.start(join(shared(), 'daemon'));
  });

  after(() => daemon.end());

  async function start(
    content: number | Buffer,
    behaviour: Origin['behaviour'] = {},
  ): Promise<{ origin: Origin; output: string }> {
    origin = await Origin.start(content, behaviour);
    await mkdir(join(directory(), 'out'));
    return { origin, output: join(directory(), 'out', 'file') };
  }

  afterEach(async () => {
    await origin?.close();
    origin = undefined;
  });

  for (const [name, size, behaviour] of [
    ['an empty file', 0, {}],
    ['a small file', 1000, {}],
    ['a file of just one piece', 4 * MIB, {}],
    ['a file of several pieces', 9 * MIB + 1, {}],
    ['an origin that ignores ranges', 9 * MIB + 1, { ignoresRange: true }],
    ['an origin that ignores ranges, and a small file', 100, { ignoresRange: true }],
    ['an origin without a length', 9 * MIB + 1, { hidesLength: true }],
    ['an origin without a length, and whole pieces', 8 * MIB, { hidesLength: true }],
    ['an origin without a length, and nothing', 0, { hidesLength: true }],
  ] as const)
    it(`writes ${name}`, async () => {
      const { origin, output } = await start(size, behaviour);
      const result = await daemon.dfget(origin.url(), '-O', output, '--digest', `sha256:${origin.sha256}`);
      assert.equal(result.code, 0, result.stderr);
      assert.ok((await readFile(output)).equals(origin.content));
      assert.deepEqual(await readdir(join(directory(), 'out')), ['file']);
      assert.equal(
        origin.contentBytes <= origin.content.length + 1,
        true,
        `the origin gave ${origin.contentBytes} bytes`,
      );
      const again = await daemon.dfget(origin.url(), '-O', output, '--overwrite');
      assert.equal(again.code, 0, again.stderr);
      assert.ok((await readFile(output)).equals(origin.content));
    });

  it('refuses a wrong digest, and leaves no file', async () => {
    const { origin, output } = await start(5 * MIB);
    const result = await daemon.dfget(origin.url(), '-O', output, '--digest', `sha256:${'0'.repeat(64)}`);
    assert.equal(result.code, 6);
    assert.match(result.stderr, /DFP_DIGEST_MISMATCH/);
    assert.deepEqual(await readdir(join(directory(), 'out')), []);
  });

  it('keeps an existing file unless told to overwrite', async () => {
    const { origin, output } = await start(1000);
    await writeFile(output, 'precious');
    const refused = await daemon.dfget(origin.url(), '-O', output);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /exists already/);
    assert.equal(await readFile(output, 'utf8'), 'precious');
    assert.equal((await daemon.dfget(origin.url(), '-O', output, '--overwrite')).code, 0);
    assert.ok((await readFile(output)).equals(origin.content));
  });

  it('makes a hard link where that is demanded', async () => {
    const { origin, output } = await start(1000);
    assert.equal((await daemon.dfget(origin.url(), '-O', output, '--force-hard-link')).code, 0);
    assert.equal((await stat(output)).nlink, 2);
    const again = await daemon.dfget(origin.url(), '-O', output);
    assert.equal(again.code, 0, 'the file is the stored one already');
  });

  it("says what the origin answered, with the origin's exit code", async () => {
    const { origin, output } = await start(1000, { status: 404 });
    const result = await daemon.dfget(origin.url(), '-O', output);
    assert.equal(result.code, 3);
    assert.match(result.stderr, /404/);
    assert.match(result.stderr, /DFP_ORIGIN_STATUS/);
    assert.deepEqual(await readdir(join(directory(), 'out')), []);
  });

  it('calls a range outside the content what it is: wrong usage, whether the content is known yet or not', async () => {
    const { origin, output } = await start(1000);
    for (const time of ['first', 'second']) {
      const result = await daemon.dfget(origin.url(), '-O', output, '--range', '99999999-');
      assert.equal(result.code, 2, `${time}: ${result.stderr}`);
      assert.match(result.stderr, /1000 bytes.*--range.*DFP_INVALID_ARGUMENT/);
    }
    assert.match(EXPLANATIONS.DFP_INVALID_ARGUMENT.means, /range that is outside the content/);
  });

  it('says that the origin can not be reached', async () => {
    const { origin, output } = await start(1000);
    const url = origin.url();
    await origin.close();
    const result = await daemon.dfget(url, '-O', output);
    assert.equal(result.code, 3);
    assert.match(result.stderr, /DFP_ORIGIN_UNREACHABLE/);
  });

  it('has an exit code for a timeout', async () => {
    const { origin, output } = await start(20 * MIB, { bytesPerSecond: MIB });
    const result = await daemon.dfget(origin.url(), '-O', output, '--timeout', '1s');
    assert.equal(result.code, 4);
    assert.match(result.stderr, /not finished within 1 s;.*DFP_DEADLINE/);
    assert.deepEqual(await readdir(join(directory(), 'out')), []);
  });

  it('does not start a daemon for an explicit endpoint', async () => {
    const result = await dfget([
      'http://127.0.0.1:1/x',
      '-O',
      join(directory(), 'x'),
      '--endpoint',
      join(directory(), 'nobody.sock'),
    ]);
    assert.equal(result.code, 4);
    assert.match(result.stderr, /DFP_DAEMON_UNREACHABLE/);
  });

  it('works where the working directory is gone, and says so where a path needs it', async () => {
    const { origin, output } = await start(1000);
    const inNowhere = (to: string): Promise<ProcessResult> =>
      run('sh', ['-c', 'cd "$1" && rmdir "$1" && shift && exec "$@"', 'sh', join(directory(), to), ...command(to)]);
    const command = (to: string): string[] => [
      ...[process.execPath, DFGET, origin.url(), '-e', daemon.socketPath],
      ...(to === 'absolute' ? ['-O', output] : []),
    ];
    for (const name of ['absolute', 'relative']) await mkdir(join(directory(), name));
    const fine = await inNowhere('absolute');
    assert.equal(fine.code, 0, fine.stderr);
    assert.ok((await readFile(output)).equals(origin.content));
    const refused = await inNowhere('relative');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /the working directory is gone.*absolute paths \[DFP_USAGE\]/);
  });

  it('explains wrong usage with exit code 2', async () => {
    for (const args of [
      [],
      ['http://example.com/x', '--nonsense'],
      ['ftp://example.com/x', '-O', join(directory(), 'x')],
      ['http://example.com/x', '-O', join(directory(), 'x'), '--digest', 'md5:1'],
    ]) {
      const result = await dfget(args);
      assert.equal(result.code, 2, `${args.join(' ')}: ${result.stderr}`);
      assert.notEqual(result.stderr.trim(), '');
    }
  });

  it('starts a daemon when none is running, which serves and then ends by itself', async () => {
    origin = await Origin.start(5 * MIB);
    const env = { DFPEER_HOME: directory(), DFPEER_ALIVE_TIME: '8s' };
    const output = join(directory(), 'file');
    const result = await dfget([origin.url(), '-O', output, '--no-progress', '-l', 'debug', '--console'], env);
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stderr, /starting one in the background/);
    assert.ok(result.stderr.includes(`the log is the daemon's, in ${directory()}/log; --console shows none of it\n`));
    assert.match(await readFile(join(directory(), 'log', 'dfdaemon.log'), 'utf8'), /"level":"debug"/);
    assert.ok((await readFile(output)).equals(origin.content));
    const again = await dfget([origin.url(), '-O', join(directory(), 'again'), '--no-progress', '-l', 'warn'], env);
    assert.equal(again.code, 0, again.stderr);
    assert.match(
      again.stderr,
      /^dfget: the log is the daemon's, usually in .*; --log-level is for one that dfget starts/,
    );
    assert.doesNotMatch(again.stderr, /starting one/);
    const sockets = async (): Promise<string[]> =>
      (await readdir(directory(), { recursive: true })).filter((name) => name.endsWith('.sock'));
    assert.equal((await sockets()).length, 1);
    await until('the daemon to end', async () => (await sockets()).length === 0);
  });
});
