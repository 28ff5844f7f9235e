import assert from 'node:assert/strict';
import { systemClock } from '../../../src/core/clock.js';
import { ThreadPool } from '../../../src/peer/fetch/thread-pool.js';

/** A pool whose system starts so many threads, each of which waits for ever, and then no more. */
function poolOf(allowed: number): ThreadPool<object, object> {
  let started = 0;
  return new ThreadPool<object, object>({
    get entry(): URL {
      if (started++ < allowed) return new URL('data:text/javascript,setInterval(()=>undefined,1e6)');
      throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
    },
    data: undefined,
    size: 4,
    onReport: () => undefined,
    onDeath: () => undefined,
    clock: systemClock,
  });
}

describe('threads where the system starts no more of them (ulimit -u, TasksMax)', () => {
  it('those that run do all the work', async () => {
    const pool = poolOf(1);
    for (const job of [1, 2, 3]) pool.begin(job, {});
    assert.equal(pool.threadCount, 1);
    await pool.close();
  });

  it('without any it is told what to raise', () => {
    const pool = poolOf(0);
    const error = { code: 'DFP_LIMIT', message: /EAGAIN.*TasksMax/ };
    assert.throws(() => pool.warmUp(), error);
    assert.throws(() => pool.begin(1, {}), error);
  });
});
