import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { parseTaskId } from '../../src/core/task-id.js';
import { UploadMetrics } from '../../src/upload/metrics.js';
import type { ServedTask } from '../../src/upload/piece-source.js';
import { TallyHistogram } from '../../src/upload/tallies.js';
import { sumSamples } from '../support/metrics.js';

describe('upload metrics', () => {
  async function samples(registry: Registry): Promise<string[]> {
    return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  }

  it('show histograms to whoever scrapes, cumulative and with the rest in +Inf', async () => {
    const registry = new Registry();
    const options = {
      name: 'took',
      help: 'Time',
      labelNames: ['route'] as const,
      buckets: [1, 2],
      registers: [registry],
    };
    const series = new TallyHistogram(options).series({ route: 'copy' });
    for (const value of [0.5, 1, 1.5, 9]) series.observe(value);
    assert.deepEqual(await samples(registry), [
      'took_bucket{le="1",route="copy"} 2',
      'took_bucket{le="2",route="copy"} 3',
      'took_bucket{le="+Inf",route="copy"} 4',
      'took_sum{route="copy"} 12',
      'took_count{route="copy"} 4',
    ]);
    const [json] = await registry.getMetricsAsJSON();
    assert.equal(json?.values.length, 5);
  });

  it('tell how long uploads took, under our name and under Dragonfly’s', async () => {
    const registry = new Registry();
    const metrics = new UploadMetrics(registry);
    const labels = { type: 0, tag: '', application: '' };
    const task = { taskId: parseTaskId('a'.repeat(64)), labels, contentLength: 5 } as ServedTask;
    metrics.started(task);
    const choice = { route: 'sendfile', reason: 'unthrottled', limited: false } as const;
    metrics.finished('http', task, {
      result: 'complete',
      choice,
      bytesSent: 5,
      waitedMs: 0,
      durationMs: 30,
      error: undefined,
    });
    const lines = await samples(registry);
    assert.equal(sumSamples(lines, 'dfpeer_upload_duration_seconds_count', { route: 'sendfile' }), 1);
    assert.equal(sumSamples(lines, 'dfpeer_upload_duration_seconds_sum', { route: 'sendfile' }), 0.03);
    assert.equal(sumSamples(lines, 'dragonfly_client_upload_task_duration_milliseconds_bucket', { le: '32' }), 1);
    assert.equal(sumSamples(lines, 'dragonfly_client_upload_task_duration_milliseconds_bucket', { le: '16' }), 0);
  });
});
