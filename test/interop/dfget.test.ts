import assert from 'node:assert/strict';
import { mkdir, stat, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../support/daemon-process.js';
import { Cluster } from './support/cluster.js';
import { sha256OfFile, type Maker, type Peer } from './support/peer.js';
import { requirePrograms } from './support/programs.js';

const DFGET = join(import.meta.dirname, '..', '..', '..', 'bin', 'dfget');
const CONTENT_BYTES = 20_000_003;

for (const [client, maker] of [
  ['dragonfly', 'dfpeer'],
  ['dfpeer', 'dragonfly'],
] as const satisfies readonly (readonly [Maker, Maker])[]) {
  describe(`dfget of ${client} at the socket of a dfdaemon of ${maker}`, function () {
    this.timeout(60_000);
    let cluster: Cluster;
    let daemon: Peer;

    before(async function () {
      requirePrograms(this, 'scheduler', 'dfdaemon', 'dfget');
      cluster = await Cluster.create();
      await cluster.startOrigin(CONTENT_BYTES);
      const { dynconfig } = await cluster.startScheduler();
      daemon = await cluster.startPeer(maker, 'daemon', { dynconfig });
    });
    after(async () => cluster?.close());

    async function get(output: string, ...flags: string[]): ReturnType<Peer['dfget']> {
      return daemon.dfget(client, '--output', output, '--no-progress', ...flags, cluster.origin.url());
    }

    it('writes the file, from the origin and then from the store', async () => {
      await cluster.download(daemon, { client });
      const { contentBytes } = cluster.origin;
      assert.equal(contentBytes, CONTENT_BYTES);
      await cluster.download(daemon, { client });
      assert.equal(cluster.origin.contentBytes, contentBytes, 'the origin was asked for content again');
    });

    it('makes a hard link of what is stored when asked to', async () => {
      const output = await cluster.download(daemon, { client, flags: ['--force-hard-link'] });
      assert.ok((await stat(output)).nlink > 1);
    });

    it('leaves an existing file alone without --overwrite', async () => {
      const output = join(cluster.directory, 'existing');
      await writeFile(output, 'precious');
      const result = await get(output);
      assert.notEqual(result.code, 0);
      assert.match(result.stderr + result.stdout, /exist/);
      assert.equal(await readFile(output, 'utf8'), 'precious');
    });

    it('replaces an existing file with --overwrite', async () => {
      const output = join(cluster.directory, 'replaced');
      await writeFile(output, 'old');
      const result = await get(output, '--overwrite');
      assert.equal(result.code, 0, result.stderr);
      assert.equal(await sha256OfFile(output), cluster.origin.sha256);
    });

    it('takes a digest that the content has', async () => {
      await cluster.download(daemon, { client, flags: ['--digest', `sha256:${cluster.origin.sha256}`] });
    });

    it('fails on a digest that the content has not, and leaves no file', async () => {
      const output = join(cluster.directory, 'wrong');
      const result = await get(output, '--digest', `sha256:${'0'.repeat(64)}`);
      assert.notEqual(result.code, 0);
      await assert.rejects(stat(output), { code: 'ENOENT' });
    });

    it('takes the bytes through the socket with --transfer-from-dfdaemon', async () => {
      await cluster.download(daemon, { client, flags: ['--transfer-from-dfdaemon'] });
    });

    it('fails with the status of an origin that refuses', async () => {
      cluster.origin.behaviour = { status: 403 };
      try {
        const output = join(cluster.directory, 'refused');
        const result = await daemon.dfget(client, '--output', output, '--no-progress', cluster.origin.url('/refused'));
        assert.notEqual(result.code, 0);
        // Dragonfly’s shows the status by itself, in colours; ours in a sentence.
        assert.match(result.stderr + result.stdout, /(Bad Status Code:\S* 403|origin answers 403|answers 403)\b/);
        await assert.rejects(stat(output), { code: 'ENOENT' });
      } finally {
        cluster.origin.behaviour = {};
      }
    });

    if (maker === 'dragonfly') {
      it('does not take the whole content for a range, and gets the range through the socket', async () => {
        const output = join(cluster.directory, 'range');
        const range = ['--range', '4194300-4194309'];
        const whole = await get(output, ...range);
        assert.equal(whole.code, 5, whole.stderr);
        assert.match(whole.stderr, /--transfer-from-dfdaemon/);
        await assert.rejects(stat(output), { code: 'ENOENT' });
        const part = await get(output, ...range, '--transfer-from-dfdaemon');
        assert.equal(part.code, 0, part.stderr);
        assert.ok((await readFile(output)).equals(cluster.origin.content.subarray(4_194_300, 4_194_310)));
      });

      it('writes to stdout', async () => {
        const printed = await get('-');
        assert.equal(printed.code, 0, printed.stderr);
        assert.equal(printed.stdout, cluster.origin.content.toString('utf8'));
      });

      it('fails when the daemon wrote into another directory of that name', async () => {
        const hidden = join(cluster.directory, 'hidden');
        await mkdir(hidden);
        const output = join(hidden, 'file');
        const dfget = [process.execPath, DFGET, '-e', daemon.socketPath, cluster.origin.url(), '--no-progress', '-O'];
        const underMount = ['-m', 'sh', '-c', 'mount -t tmpfs tmpfs "$0" && exec "$@"', hidden];
        const result = await run('unshare', [...underMount, ...dfget, output]);
        assert.equal(result.code, 5, result.stderr);
        assert.match(result.stderr, /there is no file of \d+ bytes: .*DFP_OUTPUT_IO/);
      });
    }
  });
}
