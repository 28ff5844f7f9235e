import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../src/core/errors.js';
import { createSchedulerClient } from '../../src/scheduler-client/client.js';
import { MAX_SCHEDULERS } from '../../src/scheduler-client/scheduler-source.js';
import { until } from '../support/until.js';
import { host, load, recordingLogger, type LogLine } from './support/fixtures.js';
import type { ScriptedScheduler } from './support/scripted-scheduler.js';
import { useClient } from './support/use-client.js';

describe('the list of schedulers of a client', () => {
  const stage = useClient();
  const { startSchedulers, startClient, health } = stage;

  it('names what should list the schedulers, and why it does not, while there is no list', async () => {
    let isListed = false;
    const lookup = async (): Promise<{ address: string; family: number }[]> => {
      if (!isListed) throw new Error('ENOTFOUND');
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const [scheduler] = await startSchedulers(1);
    const addr = `scheduler.test:${scheduler?.port}`;
    await startClient({ source: { kind: 'static', addrs: [addr] }, lookup, random: () => 0 });
    assert.deepEqual(
      stage.client.status().map(({ address, healthy, lastError }) => ({ address, healthy, lastError })),
      [
        {
          address: addr,
          healthy: false,
          lastError: "the scheduler's name scheduler.test does not resolve; check scheduler.addr",
        },
      ],
    );
    assert.deepEqual(stage.client.addresses(), [], 'nobody may claim to be a scheduler that has no address');
    isListed = true;
    await until('the scheduler to be found', () => health()[scheduler?.address ?? ''] === true);
    assert.equal(stage.client.status().length, 1);
  });

  it('joins the schedulers whose names resolve, whatever becomes of the other names', async () => {
    const [scheduler] = await startSchedulers(1);
    const addrs = ['gone.test:8002', scheduler?.address ?? ''];
    const lines: LogLine[] = [];
    await startClient({
      source: { kind: 'static', addrs },
      lookup: async () => Promise.reject(new Error('ENOTFOUND')),
      logger: recordingLogger(lines),
    });
    assert.deepEqual(health(), { [scheduler?.address ?? '']: true });
    const warned = lines.filter(({ level }) => level === 'warn');
    assert.deepEqual(
      warned.map(({ fields }) => messageOf((fields as { err: unknown }).err)),
      ["the scheduler's name gone.test does not resolve; check scheduler.addr"],
    );
  });

  it('is cut where it is too long, which is said once for each length', async () => {
    let length = MAX_SCHEDULERS + 1;
    let lookups = 0;
    const lines: LogLine[] = [];
    const warnings = (): LogLine[] => lines.filter(({ message }) => message.startsWith('too many schedulers'));
    await startClient({
      source: { kind: 'static', addrs: ['scheduler.test:1'] },
      lookup: async () => {
        lookups++;
        return Array.from({ length }, (_, index) => ({ address: `127.1.${index >> 8}.${index & 255}`, family: 4 }));
      },
      refreshIntervalMs: 50,
      logger: recordingLogger(lines),
    });
    await until('the list to be read again', () => lookups > 3);
    assert.equal(stage.client.status().length, MAX_SCHEDULERS);
    assert.equal(warnings().length, 1);
    length++;
    await until('the other list to be read', () => warnings().length === 2);
  });

  it('does not start with an address that is none', () => {
    assert.throws(
      () =>
        createSchedulerClient({
          host,
          load: async () => load,
          source: { kind: 'static', addrs: ['scheduler'] },
          build: { version: '1' },
        }),
      { code: 'DFP_CONFIG' },
    );
    createSchedulerClient({
      host,
      load: async () => load,
      source: { kind: 'static', addrs: ['127.0.0.1:1'] },
      build: { version: '1' },
    });
  });

  describe('with a dynconfig file', () => {
    let directory: string;
    let file: string;

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'dfpeer-client-'));
      file = join(directory, 'dynconfig.yaml');
    });

    afterEach(() => rm(directory, { recursive: true }));

    const write = (...listed: (ScriptedScheduler | undefined)[]): Promise<void> =>
      writeFile(file, JSON.stringify({ scheduler: { addrs: listed.map((each) => each?.address) } }));

    it('follows the file, says farewell to who left, and keeps the last good list over a bad file', async () => {
      const [first, second] = await startSchedulers(2);
      const lines: LogLine[] = [];
      await write(first);
      await startClient({
        source: { kind: 'dynconfig', file },
        refreshIntervalMs: 50,
        logger: recordingLogger(lines),
      });
      assert.deepEqual(health(), { [String(first?.address)]: true });
      await writeFile(file, 'scheduler: [');
      await until('the warning about the file', () =>
        lines.some(({ message }) => message.includes('the last good one stays')),
      );
      assert.deepEqual(health(), { [String(first?.address)]: true });
      await write(second);
      await until('the second scheduler to be healthy', () => health()[String(second?.address)] === true);
      assert.deepEqual(Object.keys(health()), [second?.address]);
      await first?.until(() => first.deletedHosts.length === 1);
      await second?.until(() => second.hosts.length === 1);
    });

    it('takes in whom the file names later, and keeps who is still named', async () => {
      const [first, second] = await startSchedulers(2);
      await write(first);
      await startClient({ source: { kind: 'dynconfig', file }, refreshIntervalMs: 50 });
      await write(first, second);
      await until('both to be healthy', () => health()[String(second?.address)] === true);
      assert.deepEqual(Object.values(health()), [true, true]);
      assert.deepEqual(first?.deletedHosts, []);
    });

    it('does not start with a bad one', async () => {
      await writeFile(file, 'nothing');
      await assert.rejects(startClient({ source: { kind: 'dynconfig', file } }), { code: 'DFP_CONFIG' });
    });
  });
});
