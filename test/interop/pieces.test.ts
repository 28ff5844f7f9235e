import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { Cluster } from './support/cluster.js';
import { requirePrograms } from './support/programs.js';

const CONTENT_BYTES = 200_000_000;
/** Somewhere in the third piece. */
const ROTTEN_OFFSET = 10_000_000;

describe('pieces between dfpeer and Dragonfly’s dfdaemon, with Dragonfly’s scheduler', function () {
  this.timeout(120_000);
  let cluster: Cluster;

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'dfdaemon', 'dfget');
    cluster = await Cluster.create();
  });
  afterEach(async () => cluster?.close());

  for (const protocol of ['tcp', 'quic']) {
    it(`a Dragonfly child set to ${protocol} takes every byte from a dfpeer parent, by sendfile`, async () => {
      const origin = await cluster.startOrigin(CONTENT_BYTES);
      const { dynconfig } = await cluster.startScheduler();
      const parent = await cluster.startPeer('dfpeer', 'parent', { dynconfig });
      const child = await cluster.startPeer('dragonfly', 'child', { dynconfig, config: { download: { protocol } } });
      await cluster.download(parent);
      await cluster.download(child);
      assert.equal(origin.contentBytes, CONTENT_BYTES, 'the origin was asked for content again');
      assert.deepEqual(await child.traffic(), { fromOrigin: 0, fromPeers: CONTENT_BYTES, uploaded: 0 });
      const sent = await parent.metric('dfpeer_upload_bytes_total', { protocol: 'vortex', route: 'sendfile' });
      assert.equal(sent, CONTENT_BYTES);
      assert.equal((await parent.traffic()).uploaded, CONTENT_BYTES);
    });
  }

  it('a dfpeer child takes every byte from a Dragonfly parent, verified', async () => {
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const { dynconfig } = await cluster.startScheduler();
    const parent = await cluster.startPeer('dragonfly', 'parent', { dynconfig });
    const child = await cluster.startPeer('dfpeer', 'child', { dynconfig });
    await cluster.download(parent);
    await cluster.download(child, { flags: ['--digest', `sha256:${origin.sha256}`] });
    assert.equal(origin.contentBytes, CONTENT_BYTES, 'the origin was asked for content again');
    assert.deepEqual(await child.traffic(), { fromOrigin: 0, fromPeers: CONTENT_BYTES, uploaded: 0 });
    assert.equal((await parent.traffic()).uploaded, CONTENT_BYTES);
    assert.equal(await child.metric('dfpeer_download_bad_pieces_total'), 0);
  });

  for (const [parentMaker, childMaker] of [
    ['dfpeer', 'dragonfly'],
    ['dragonfly', 'dfpeer'],
  ] as const) {
    it(`a ${childMaker} child notices a piece that rotted at a ${parentMaker} parent`, async () => {
      const origin = await cluster.startOrigin(40_000_000);
      const { dynconfig } = await cluster.startScheduler();
      const parent = await cluster.startPeer(parentMaker, 'parent', { dynconfig });
      const child = await cluster.startPeer(childMaker, 'child', { dynconfig });
      const output = await cluster.download(parent, { flags: ['--force-hard-link'] });
      rot(output, () => overwriteOneByte(output, ROTTEN_OFFSET));
      await cluster.download(child);
      const { fromOrigin, fromPeers } = await child.traffic();
      assert.ok(fromOrigin > 0 && fromOrigin < origin.content.length, `${fromOrigin} bytes from the origin`);
      assert.equal(fromOrigin + fromPeers, origin.content.length);
    });
  }

  it('a dfpeer gives nothing away from an output that was edited in place', async () => {
    const origin = await cluster.startOrigin(40_000_000);
    const { dynconfig } = await cluster.startScheduler();
    const parent = await cluster.startPeer('dfpeer', 'parent', { dynconfig });
    const child = await cluster.startPeer('dragonfly', 'child', { dynconfig });
    const output = await cluster.download(parent, { flags: ['--force-hard-link'] });
    overwriteOneByte(output, ROTTEN_OFFSET);
    await cluster.download(child);
    assert.equal((await child.traffic()).fromOrigin, origin.content.length);
    assert.equal((await parent.traffic()).uploaded, 0);
  });

  it('both makers’ daemons start from the same dfdaemon.yaml and dynconfig.yaml', async () => {
    await cluster.startOrigin(8_000_000);
    const { dynconfig } = await cluster.startScheduler();
    const host = cluster.network.addHost();
    const before = await cluster.startPeer('dragonfly', 'node', { dynconfig, host });
    await cluster.download(before);
    await before.program.end();
    const after = await cluster.startPeer('dfpeer', 'node', { dynconfig, host });
    await cluster.download(after);
  });
});

/** As a disk does it: without a new time of modification, which dfpeer would take for an edit of the output. */
function rot(path: string, change: () => void): void {
  const times = `${path}.times`;
  execFileSync('touch', ['--reference', path, times]);
  change();
  execFileSync('touch', ['--reference', times, path]);
}

function overwriteOneByte(path: string, offset: number): void {
  const file = openSync(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, offset);
    writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 0xff]), 0, 1, offset);
  } finally {
    closeSync(file);
  }
}
