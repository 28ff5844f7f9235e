import assert from 'node:assert/strict';
import type { CandidateParent } from '../../src/scheduler-client/scheduler-client.js';
import { host } from './support/fixtures.js';
import { candidate, normal, useSessions } from './support/session-stage.js';

describe('a peer session with parents', () => {
  const open = useSessions();

  it('hears of parents that it did not ask for, and does not take them for an answer', async () => {
    const { session } = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('first')));
      await conversation.next();
      conversation.answer(normal());
      conversation.answer({ needBackToSourceResponse: {} });
      conversation.answer(normal(candidate('second'), candidate('ourselves', { hostId: host.id })));
      await conversation.next();
      conversation.answer(normal(candidate('third')));
    });
    const heard: string[][] = [];
    const more = new Promise<void>((resolve) =>
      session.onMoreParents((parents) => {
        heard.push(parents.map(({ peerId }) => peerId));
        resolve();
      }),
    );
    await session.register();
    session.started();
    await more;
    const decision = await session.reschedule([], 'asks again');
    assert.ok(decision.kind === 'parents');
    assert.deepEqual(
      decision.parents.map(({ peerId }) => peerId),
      ['third'],
    );
    assert.deepEqual(heard, [['second']]);
  });

  it('hears of parents that it looks for, and blocks none for it', async () => {
    const { scheduler, session } = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('first')));
      await conversation.next();
      conversation.answer(normal(candidate('second')));
    });
    const more = new Promise<CandidateParent[]>((resolve) => session.onMoreParents(resolve));
    await session.register();
    session.searchParents();
    assert.deepEqual(
      (await more).map(({ peerId }) => peerId),
      ['second'],
    );
    assert.deepEqual(scheduler.messages.at(-1)?.reschedulePeerRequest?.candidateParents, []);
  });

  for (const [where, schedulerIp, usable] of [
    ['another host', '10.0.0.9', ['good']],
    ['this host', '10.0.0.5', ['good', 'loopback', 'link-local']],
    ['this host’s loopback', '127.0.0.1', ['good', 'loopback', 'link-local']],
  ] as const)
    it(`takes ${usable.length} parents of a scheduler on ${where} that names loopback`, async () => {
      const { session } = await open(
        async (conversation) => {
          await conversation.next();
          const near = [candidate('loopback', { ip: '127.0.0.1' }), candidate('link-local', { ip: '169.254.1.2' })];
          conversation.answer(normal(candidate('good'), ...near));
        },
        { ips: { own: '10.0.0.5', scheduler: schedulerIp } },
      );
      const decision = await session.register();
      assert.ok(decision.kind === 'parents');
      assert.deepEqual(
        decision.parents.map(({ peerId }) => peerId),
        usable,
      );
    });

  it('gives parents that can be dialled, and blocks the others with the next reschedule', async () => {
    const { scheduler, session } = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(
        normal(
          candidate('good'),
          candidate('bad-ip', { ip: 'example.com' }),
          candidate('bad-port', { port: 0 }),
          candidate('ourselves', { hostId: host.id }),
        ),
      );
      await conversation.next();
      conversation.answer({ needBackToSourceResponse: { description: 'none left' } });
    });
    const decision = await session.register();
    assert.ok(decision.kind === 'parents');
    assert.deepEqual(
      decision.parents.map(({ peerId, ip, port, isSeed, idc }) => ({ peerId, ip, port, isSeed, idc })),
      [{ peerId: 'good', ip: '10.0.0.1', port: 4000, isSeed: true, idc: undefined }],
    );
    assert.deepEqual(await session.reschedule(decision.parents, ''), {
      kind: 'back-to-source',
      description: 'none left',
    });
    const blocked = scheduler.messages[1]?.reschedulePeerRequest?.candidateParents.map(({ id }) => id);
    assert.deepEqual(blocked, ['good', 'bad-ip', 'bad-port', 'ourselves']);
  });
});
