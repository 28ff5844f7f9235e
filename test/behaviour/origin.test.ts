import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

describe('origin and clients', function () {
  this.timeout(60_000);
  const shared = useSharedDirectory();
  const directory = useTemporaryDirectory();
  let origin: Origin;
  let daemon: DaemonProcess;
  let trafficBefore = 0;

  const traffic = async (): Promise<number> =>
    (await daemon.metric('dragonfly_client_download_traffic')) - trafficBefore;
  const path = (name: string): string => join(directory(), name);

  before(async () => {
    // Few at a time, so that some pieces are there while others aren't asked for.
    daemon = await DaemonProcess.start(join(shared(), 'daemon'), { download: { concurrentPieceCount: 2 } });
  });

  after(() => daemon.end());

  async function start(behaviour: Origin['behaviour'], size = 24 * MIB): Promise<void> {
    origin = await Origin.start(size, behaviour);
    trafficBefore += await traffic();
  }

  afterEach(() => origin.close());

  it('never mixes two versions of a content that changes in mid-download', async () => {
    await start({ bytesPerSecond: 16 * MIB, etag: '"old"' });
    const done = daemon.dfget(origin.url(), '-O', path('file'));
    await until('a piece to be stored', async () => (await traffic()) > 0);
    origin.replace(randomBytes(20 * MIB), { etag: '"new"' });
    const result = await done;
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await readFile(path('file'))).equals(origin.content));
  });

  it('starts anew when the content changed between two attempts', async () => {
    await start({ bytesPerSecond: 8 * MIB, etag: '"old"' });
    const broken = await daemon.dfget(origin.url(), '-O', path('file'), '--timeout', '1500ms');
    assert.equal(broken.code, 4, broken.stderr);
    origin.replace(randomBytes(24 * MIB), { etag: '"new"' });
    const result = await daemon.dfget(origin.url(), '-O', path('file'), '--digest', `sha256:${origin.sha256}`);
    assert.equal(result.code, 0, result.stderr);
  });

  it('is read in one answer when its servers have different ETags for one content', async () => {
    await start({ etag: ['"one"', '"two"'] });
    const result = await daemon.dfget(origin.url(), '-O', path('file'));
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await readFile(path('file'))).equals(origin.content));
  });

  it('is asked for no more at once than it lets a client have', async () => {
    await start({ atOnce: 1, bytesPerSecond: 8 * MIB });
    const result = await daemon.dfget(origin.url(), '-O', path('file'));
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await readFile(path('file'))).equals(origin.content));
  });

  it('is asked in turn for all files of a list', async () => {
    await start({ atOnce: 1, bytesPerSecond: 4 * MIB }, 8 * MIB);
    const urls = [1, 2, 3, 4].map((number) => `${origin.url(`/${number}`)} file-${number}\n`);
    await writeFile(path('list'), urls.join(''));
    const result = await daemon.dfget('-i', path('list'), '-O', directory());
    assert.equal(result.code, 0, result.stderr);
  });

  it('gives all of it anew when nothing tells whether it still has what came before', async () => {
    await start({ bytesPerSecond: 8 * MIB, etag: null });
    const broken = await daemon.dfget(origin.url(), '-O', path('file'), '--timeout', '2s');
    assert.equal(broken.code, 4, broken.stderr);
    assert.ok((await traffic()) > 0);
    origin.replace(randomBytes(24 * MIB), { etag: null });
    const result = await daemon.dfget(origin.url(), '-O', path('file'));
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await readFile(path('file'))).equals(origin.content), 'not mixed');
    origin.replace(randomBytes(24 * MIB), { etag: null });
    const digest = ['--digest', `sha256:${origin.sha256}`];
    const other = await daemon.dfget(origin.url(), '-O', path('other'), ...digest);
    assert.equal(other.code, 0, other.stderr);
  });

  it('is asked again when what is stored since long ago fails a digest, and gives the new content', async () => {
    await start({ etag: '"one"' }, 6 * MIB);
    const right = (): string[] => ['--digest', `sha256:${origin.sha256}`, '--no-progress'];
    const first = await daemon.dfget(origin.url(), '-O', path('first'), ...right());
    assert.equal(first.code, 0, first.stderr);
    const wrong = await daemon.dfget(origin.url(), '-O', path('wrong'), '--digest', `sha256:${'0'.repeat(64)}`);
    assert.match(wrong.stderr, /DFP_DIGEST_MISMATCH/);
    assert.equal(origin.contentBytes, origin.content.length, 'what the origin still has is kept');
    origin.replace(randomBytes(6 * MIB), { etag: '"two"' });
    const second = await daemon.dfget(origin.url(), '-O', path('second'), ...right());
    assert.equal(second.code, 0, second.stderr);
    assert.ok((await readFile(path('second'))).equals(origin.content));
    assert.equal(origin.contentBytes, 2 * origin.content.length);
    origin.behaviour = { status: 404 };
    const gone = await daemon.dfget(origin.url(), '-O', path('gone'), '--digest', `sha256:${'0'.repeat(64)}`);
    assert.match(gone.stderr, /DFP_DIGEST_MISMATCH/, 'what is stored counts when the origin has nothing');
    origin.replace(randomBytes(6 * MIB), { etag: '"three"' });
    const digest = createHash('sha256').update(origin.content.subarray(0, 100)).digest('hex');
    const part = ['--range', '0-99', '--digest', `sha256:${digest}`];
    const third = await daemon.dfget(origin.url(), '-O', path('third'), ...part);
    assert.equal(third.code, 0, third.stderr);
  });

  it('resumes after a timeout with what it has', async () => {
    await start({ silentAfterBytes: 12 * MIB });
    assert.equal((await daemon.dfget(origin.url(), '-O', path('file'), '--timeout', '2s')).code, 4);
    const stored = await traffic();
    assert.ok(stored > 0);
    origin.behaviour = {};
    const before = origin.contentBytes;
    const result = await daemon.dfget(origin.url(), '-O', path('file'), '--digest', `sha256:${origin.sha256}`);
    assert.equal(result.code, 0, result.stderr);
    assert.ok(origin.contentBytes - before <= origin.content.length - stored);
  });

  it('is asked once for what several clients want at the same time', async () => {
    await start({ bytesPerSecond: 24 * MIB });
    const results = await Promise.all(
      Array.from({ length: 4 }, (_, index) => daemon.dfget(origin.url(), '-O', path(`file-${index}`))),
    );
    for (const [index, result] of results.entries()) {
      assert.equal(result.code, 0, result.stderr);
      assert.ok((await readFile(path(`file-${index}`))).equals(origin.content));
    }
    assert.equal(origin.contentBytes, origin.content.length);
  });

  it('gives only the pieces that a range needs', async () => {
    await start({});
    const result = await daemon.dfget(origin.url(), '-O', path('part'), '--range', `${5 * MIB}-${9 * MIB - 1}`);
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await readFile(path('part'))).equals(origin.content.subarray(5 * MIB, 9 * MIB)));
    assert.equal(origin.contentBytes, 8 * MIB);
  });

  it('feeds stdout, a pipe that closes early, and a transfer through the socket', async () => {
    await start({}, 9 * MIB);
    const { run } = await import('../support/daemon-process.js');
    const dfget = `"${process.execPath}" bin/dfget --no-progress -e ${daemon.socketPath} ${origin.url()}`;
    const root = join(import.meta.dirname, '..', '..', '..');
    const whole = await run('sh', ['-c', `cd ${root} && ${dfget} -O - | sha256sum`]);
    assert.equal(whole.stdout.split(' ')[0], origin.sha256, whole.stderr);
    const cut = await run('sh', ['-c', `cd ${root} && (${dfget} -O -; echo "exit $?" >&2) | head -c 10 | wc -c`]);
    assert.equal(cut.stdout.trim(), '10');
    assert.match(cut.stderr, /exit 0/);
    const result = await daemon.dfget(
      origin.url(),
      '-O',
      path('file'),
      '--transfer-from-dfdaemon',
      '--digest',
      `sha256:${origin.sha256}`,
    );
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await readFile(path('file'))).equals(origin.content));
  });

  it('is read no faster than --ratelimit', async () => {
    await start({}, 12 * MIB);
    const startedMs = performance.now();
    const result = await daemon.dfget(origin.url(), '-O', path('file'), '--ratelimit', '6MiB');
    assert.equal(result.code, 0, result.stderr);
    const rate = origin.content.length / ((performance.now() - startedMs) / 1000);
    assert.ok(rate < 6.5 * MIB, `${rate} B/s`);
  });
});
