import assert from 'node:assert/strict';
import { silentLogger } from '../../../src/core/logger.js';
import { MAX_THROUGHPUT_SAMPLES, SAMPLE_INTERVAL_MS, Throughput } from '../../../src/peer/status/throughput.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('throughput', () => {
  it('is the difference of the counters over the time between, smoothed over two intervals', async () => {
    const clock = new ManualClock();
    const bytes = { sendfile: 500, copy: 0, paced: 0, parent: 0, origin: 0 };
    const throughput = new Throughput({ read: async () => ({ ...bytes }), clock, logger: silentLogger });
    await throughput.sample();
    assert.equal(throughput.now.sendfile, 0);
    clock.advance(1000);
    bytes.sendfile += 1000;
    bytes.origin += 300;
    await throughput.sample();
    assert.deepEqual([throughput.now.sendfile, throughput.now.origin, throughput.now.copy], [1000, 300, 0]);
    clock.advance(1000);
    await throughput.sample();
    assert.deepEqual([throughput.now.sendfile, throughput.now.origin], [500, 150]);
    clock.advance(1000);
    await throughput.sample();
    assert.equal(throughput.now.sendfile, 0);
  });

  it('keeps a bounded history', async () => {
    const clock = new ManualClock();
    const zero = { sendfile: 0, copy: 0, paced: 0, parent: 0, origin: 0 };
    const throughput = new Throughput({ read: async () => zero, clock, logger: silentLogger });
    for (let count = 0; count < MAX_THROUGHPUT_SAMPLES + 10; count++) {
      clock.advance(1000);
      await throughput.sample();
    }
    assert.equal(throughput.history.length, MAX_THROUGHPUT_SAMPLES);
  });

  it('is sampled once a second, also after a sample that failed, until it is stopped', async () => {
    const clock = new ManualClock();
    let asked = 0;
    const read = (): Promise<never> => {
      asked++;
      return Promise.reject(new Error('no counters'));
    };
    const throughput = new Throughput({ read, clock, logger: silentLogger });
    throughput.start();
    for (let second = 1; second <= 3; second++) {
      clock.advance(SAMPLE_INTERVAL_MS - 1);
      assert.equal(asked, second - 1);
      clock.advance(1);
      assert.equal(asked, second);
      if (second === 3) throughput.stop();
      await new Promise(setImmediate);
    }
    assert.equal(clock.pendingTimers, 0);
  });
});
