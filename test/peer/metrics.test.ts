import assert from 'node:assert/strict';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { Registry } from 'prom-client';
import { DownloadMetrics, MAX_BAD_HOSTS } from '../../src/peer/metrics.js';
import { MAX_TASK_LABELS } from '../../src/upload/metrics.js';
import { ManualClock } from '../support/manual-clock.js';

const MIB = 1024 * 1024;
const { statfs } = promises;
const LABELS = { type: '0', tag: '', app: '', priority: '0' };

describe('metrics of downloads', () => {
  let clock: ManualClock;
  let registry: Registry;
  let metrics: DownloadMetrics;

  beforeEach(() => {
    clock = new ManualClock();
    registry = new Registry();
    metrics = new DownloadMetrics(registry, { dataDirectory: '/', version: '', clock });
  });

  const lines = async (name: string): Promise<string[]> =>
    (await registry.getSingleMetricAsString(name)).split('\n').filter((line) => !line.startsWith('#'));

  it('time a download that succeeds, by its size', async () => {
    const name = 'dragonfly_client_download_task_duration_milliseconds';
    const [first, second] = [metrics.begin(LABELS), metrics.begin(LABELS)];
    clock.advance(250);
    first(MIB);
    clock.advance(1000);
    second(undefined);
    const told = (await lines(name)).filter((line) => /_(sum|count)/.test(line));
    assert.deepEqual(told, [
      `${name}_sum{task_type="0",task_size_level="2"} 250`,
      `${name}_count{task_type="0",task_size_level="2"} 1`,
    ]);
  });

  it('tell all the rest where the file system of the store does not answer, or hangs', async () => {
    const space = 'dragonfly_client_disk_space_total';
    assert.match((await lines(space)).join(), /^dragonfly_client_disk_space_total \d+/);
    const pretend = (answer: unknown): void => {
      Object.assign(promises, { statfs: answer });
      syncBuiltinESMExports();
    };
    let asked = 0;
    try {
      pretend(() => Promise.reject(new Error('ESTALE')));
      const told = await registry.metrics();
      assert.match(told, /dragonfly_client_version\{.*\} 1/);
      assert.doesNotMatch(told, /^dragonfly_client_disk_/m);
      pretend(() => new Promise(() => asked++));
      assert.doesNotMatch(await registry.metrics(), /^dragonfly_client_disk_/m);
      assert.equal(asked, 1);
    } finally {
      pretend(statfs);
    }
  });

  it('name the first hosts of bad pieces and the first tags, and go on counting those', async () => {
    for (let index = 0; index < MAX_BAD_HOSTS + 2; index++) metrics.badPiece(`host-${index}`);
    metrics.badPiece('host-0');
    const hosts = await lines('dfpeer_download_bad_pieces_total');
    assert.equal(hosts.length, MAX_BAD_HOSTS + 1);
    assert.equal(hosts[0], 'dfpeer_download_bad_pieces_total{host="host-0"} 2');
    assert.equal(hosts.at(-1), 'dfpeer_download_bad_pieces_total{host="other"} 2');
    for (let index = 0; index < MAX_TASK_LABELS + 2; index++) metrics.begin({ ...LABELS, tag: `tag-${index}` });
    metrics.begin({ ...LABELS, tag: 'tag-0' });
    const tasks = await lines('dragonfly_client_download_task_total');
    assert.equal(tasks.length, MAX_TASK_LABELS + 1);
    assert.match(tasks[0] ?? '', /tag="tag-0",.* 2$/);
    assert.match(tasks.at(-1) ?? '', /tag="other",app="other",.* 2$/);
  });
});
