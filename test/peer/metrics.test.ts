import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { DownloadMetrics } from '../../src/peer/metrics.js';
import { ManualClock } from '../support/manual-clock.js';

const MIB = 1024 * 1024;
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
});
