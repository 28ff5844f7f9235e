import assert from 'node:assert/strict';
import { Admission } from '../../src/upload/admission.js';

const never = new AbortController().signal;

describe('admission to transfer slots', () => {
  it('keeps one IP from taking all slots, and lets others pass it in the queue', async () => {
    const admission = new Admission({ maxConcurrent: 3, maxConcurrentPerIp: 2 });
    assert.deepEqual([admission.tryEnter('a'), admission.tryEnter('a'), admission.tryEnter('a')], [true, true, false]);
    assert.equal(admission.tryEnter('b'), true);
    const order: string[] = [];
    const waiting = ['a', 'c'].map((ip) => admission.enter(ip, never).then(() => order.push(ip)));
    assert.equal(admission.queued, 2);
    admission.leave('b');
    await waiting[1];
    assert.deepEqual(order, ['c']);
    admission.leave('a');
    await waiting[0];
    assert.deepEqual([admission.running, admission.queued], [3, 0]);
  });

  it('refuses beyond the queue, and after the deadline', async () => {
    const admission = new Admission({ maxConcurrent: 1, maxQueued: 1, queueTimeoutMs: 20 });
    admission.tryEnter('a');
    const queued = admission.enter('b', never);
    const refused = admission.enter('c', never);
    assert.equal(admission.queued, 1);
    await assert.rejects(refused, { code: 'DFP_LIMIT' });
    await assert.rejects(queued, { code: 'DFP_LIMIT' });
    assert.deepEqual([admission.running, admission.queued], [1, 0]);
  });

  it('forgets a request whose client is gone', async () => {
    const admission = new Admission({ maxConcurrent: 1 });
    admission.tryEnter('a');
    const controller = new AbortController();
    const queued = admission.enter('b', controller.signal);
    controller.abort();
    await assert.rejects(queued, { code: 'DFP_ABORTED' });
    admission.leave('a');
    assert.deepEqual([admission.running, admission.queued], [0, 0]);
    assert.equal(admission.tryEnter('c'), true);
  });
});
