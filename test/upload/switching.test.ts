import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { LimitedRoute, UploadRates } from '../../src/upload/index.js';
import { type PieceClient, httpClient, readToEnd, vortexClient } from './support/clients.js';
import { type RunningService, firstLive, startService } from './support/service.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
const LENGTH = 24 * MIB + 12_345;

interface Switch {
  /** Applied once the child has received this many bytes. */
  atByte: number;
  rates: UploadRates;
  limitedRoute: LimitedRoute;
}

const switches: fc.Arbitrary<Switch[]> = fc
  .array(
    fc.record({
      atByte: fc.nat(12 * MIB),
      rates: fc.oneof(
        fc.constant({}),
        fc.record({ total: fc.integer({ min: 60 * MIB, max: 300 * MIB }) }),
        fc.record({ perTask: fc.integer({ min: 60 * MIB, max: 300 * MIB }) }),
        fc.record({ perChildIp: fc.integer({ min: 60 * MIB, max: 300 * MIB }), interface: fc.constant(100 * MIB) }),
      ),
      limitedRoute: fc.constantFrom<LimitedRoute>('copy', 'paced'),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((list) => list.toSorted((a, b) => a.atByte - b.atByte));

describe('switching routes under a running upload', () => {
  let running: RunningService;

  beforeEach(async () => {
    running = await startService();
  });
  afterEach(() => running.stop());

  async function fetchWhileSwitching(client: PieceClient, plan: readonly Switch[]): Promise<void> {
    const task = running.source.add({ content: randomBytes(LENGTH), pieceLength: LENGTH });
    const socket = client.ask(running, task.taskId, task.layout.slice(0));
    const pending = [...plan];
    let received = 0;
    const bytes = await readToEnd(socket, (chunk) => {
      received += chunk.length;
      const next = pending[0];
      if (next === undefined || received < next.atByte) return;
      pending.shift();
      running.service.setLimitedRoute(next.limitedRoute);
      running.service.setRates(next.rates);
      socket.pause();
      setTimeout(() => socket.resume(), 2);
    });
    assert.ok(client.parse(bytes).body.equals(task.content), 'the bytes differ');
    await running.settled();
  }

  it('loses nothing and sends nothing twice, whenever and however often limits change', async () => {
    const routesSeen = new Set<string>();
    let expected = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(httpClient, vortexClient), switches, async (client, plan) => {
        running.service.setRates({});
        await fetchWhileSwitching(client, plan);
        expected += LENGTH;
        for (const route of ['sendfile', 'copy', 'paced'])
          if ((await running.metric('dfpeer_upload_bytes_total', { route })) > 0) routesSeen.add(route);
        assert.equal(await running.metric('dfpeer_upload_bytes_total'), expected);
      }),
      { numRuns: 15 },
    );
    assert.equal(await running.metric('dfpeer_upload_transfers_total', { result: 'complete' }), expected / LENGTH);
    assert.deepEqual([...routesSeen].toSorted(), ['copy', 'paced', 'sendfile']);
  });

  it('moves an upload from sendfile to copy and back while it runs, and counts each part where it went', async () => {
    const task = running.source.add({ content: randomBytes(64 * MIB), pieceLength: 64 * MIB });
    const socket = httpClient.ask(running, task.taskId, task.layout.slice(0));
    assert.equal((await firstLive(running)).route, 'sendfile');
    const on = (route: string): Promise<void> =>
      until(`route ${route}`, () => running.service.list()[0]?.route === route);
    running.service.setRates({ total: 40 * MIB });
    await on('copy');
    const body = readToEnd(socket);
    await until(
      'bytes copied',
      async () => (await running.metric('dfpeer_upload_bytes_total', { route: 'copy' })) > MIB,
    );
    running.service.setLimitedRoute('paced');
    await on('paced');
    await until(
      'bytes paced',
      async () => (await running.metric('dfpeer_upload_bytes_total', { route: 'paced' })) > MIB,
    );
    running.service.setRates({});
    await until('sendfile to take over again', () => running.service.list().every(({ route }) => route === 'sendfile'));
    assert.ok(httpClient.parse(await body).body.equals(task.content));
    await running.settled();
    assert.equal(await running.metric('dfpeer_upload_bytes_total'), task.content.length);
    const limited = await running.metric('dfpeer_upload_bytes_total', { reason: 'limited' });
    assert.equal(running.service.limits.total.spentBytes, limited);
  });

  it('frees uploads that wait for a tiny limit at once when it is lifted', async () => {
    running.service.setRates({ total: 1024 });
    const task = running.source.add({ content: randomBytes(4 * MIB), pieceLength: 4 * MIB });
    const bodies = [httpClient, vortexClient].map(async (client) =>
      client.parse(await readToEnd(client.ask(running, task.taskId, task.layout.slice(0)))),
    );
    await until(
      'both to wait',
      () => running.service.list().filter(({ waitingFor }) => waitingFor === 'bandwidth').length === 2,
    );
    running.service.setRates({});
    for (const { body } of await Promise.all(bodies)) assert.ok(body.equals(task.content));
  });
});
