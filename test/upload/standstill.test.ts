import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../src/core/clock.js';
import { Upload, type UploadHost, type UploadSpec } from '../../src/upload/transfer/upload.js';
import { httpClient, readToEnd } from './support/clients.js';
import { firstLive, startService } from './support/service.js';

const LENGTH = 24 * 1024 * 1024;
const NO_PROGRESS_TIMEOUT_MS = 6000;

describe('an upload of a process that stood still for longer than its clients may', () => {
  it('goes on', async () => {
    let standstillMs = 0;
    let onCheck = (): void => undefined;
    const nextCheck = (): Promise<void> => new Promise((resolve) => (onCheck = resolve));
    const running = await startService({
      bounds: { noProgressTimeoutMs: NO_PROGRESS_TIMEOUT_MS },
      clock: {
        ...systemClock,
        monotonicMs: () => systemClock.monotonicMs() + standstillMs,
        after: (delayMs, callback, options) => {
          onCheck();
          return systemClock.after(delayMs, callback, options);
        },
      },
    });
    const task = running.source.add({ content: randomBytes(LENGTH), pieceLength: LENGTH });
    const socket = httpClient.ask(running, task.taskId, task.layout.slice(0));
    await firstLive(running);
    await nextCheck();
    standstillMs = 2 * NO_PROGRESS_TIMEOUT_MS;
    await nextCheck();
    const answer = httpClient.parse(await readToEnd(socket));
    assert.ok(answer.body.equals(task.content), `${answer.body.length} bytes came`);
    await running.stop();
  });
});

describe('an upload that waits for bandwidth', () => {
  it('is not held for one whose client takes nothing', () => {
    const spec = { head: Buffer.alloc(0), range: { offset: 0, length: 1 } } as unknown as UploadSpec;
    const host = { now: () => 0, monotonicMs: () => 0, choose: () => ({}) } as unknown as UploadHost;
    const upload = new Upload(spec, host, 1);
    assert.deepEqual([upload.checkProgress(1), upload.checkProgress(1)], [1, 2]);
    upload.waitingForBudget = true;
    assert.equal(upload.checkProgress(1), 0);
  });
});
