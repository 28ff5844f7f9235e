import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { SchedulerPeer } from '../../src/scheduler/model.js';
import { rootedParents, selectParents, usableParents } from '../../src/scheduler/parent-selection.js';
import { scoreParent } from '../../src/scheduler/parent-score.js';
import { PieceCosts } from '../../src/scheduler/piece-costs.js';
import { setParents } from '../../src/scheduler/peer-edges.js';
import type { PeerState } from '../../src/scheduler/peer-state.js';
import { PIECE_LENGTH, taskId, TestCluster } from './cluster-fixture.js';

const STATES: PeerState[] = ['ReceivedEmpty', 'ReceivedNormal', 'Running', 'BackToSource', 'Succeeded', 'Failed'];

interface PeerPlan {
  host: number;
  state: PeerState;
  disableShared: boolean;
  type: number;
  blocked: boolean;
  contentLength: number;
  parents: number[];
}

const PLAN = fc.record<PeerPlan>({
  host: fc.nat(9),
  state: fc.constantFrom(...STATES),
  disableShared: fc.boolean(),
  type: fc.nat(1),
  blocked: fc.boolean(),
  contentLength: fc.constantFrom(10 * PIECE_LENGTH, 10 * PIECE_LENGTH, 9 * PIECE_LENGTH),
  parents: fc.array(fc.nat(11), { maxLength: 4 }),
});

/** A task with peers in any states and relations; the first one is the child. */
function buildTask(plans: readonly PeerPlan[]): SchedulerPeer[] {
  const cluster = new TestCluster();
  const peers = plans.map((plan, index) => {
    const content = { contentLength: plan.contentLength, pieceLength: PIECE_LENGTH, pieceCount: 10 };
    const { disableShared, type } = plan;
    const peer = cluster.join(`host${plan.host}`, { id: `peer${index}`, content }, { disableShared, type });
    peer.state = plan.state;
    return peer;
  });
  const [child] = peers;
  peers.forEach((peer, index) => {
    const parents = plans[index]?.parents.flatMap((number) => peers[number] ?? []) ?? [];
    setParents(
      peer,
      [...new Set(parents)].filter((parent) => parent !== peer),
    );
    if (plans[index]?.blocked === true) child?.blocked.add(peer.id);
  });
  return peers;
}

function select(child: SchedulerPeer, maxParents: number, random = Math.random): SchedulerPeer[] {
  const usable = usableParents(child);
  return selectParents(child, usable, rootedParents(child, usable), { maxParents, random });
}

describe('the choice of candidate parents', () => {
  it('never has the peer itself, its host, a blocked, unshared, finished or different one, and keeps its bound', () => {
    fc.assert(
      fc.property(
        fc.array(PLAN, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 6 }),
        (plans, maxParents) => {
          const [child] = buildTask(plans);
          assert.ok(child);
          const chosen = select(child, maxParents);
          assert.ok(chosen.length <= maxParents);
          assert.equal(new Set(chosen).size, chosen.length);
          for (const parent of chosen) {
            assert.notEqual(parent, child);
            assert.notEqual(parent.host.id, child.host.id);
            assert.ok(!child.blocked.has(parent.id));
            assert.ok(!parent.host.disableShared);
            assert.ok(!['Pending', 'ReceivedEmpty', 'Failed', 'Leave'].includes(parent.state));
            assert.equal(parent.content.contentLength, child.content.contentLength);
          }
        },
      ),
    );
  });

  it('is as large as it may be', () => {
    fc.assert(
      fc.property(
        fc.array(PLAN, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 6 }),
        (plans, maxParents) => {
          const [child] = buildTask(plans);
          assert.ok(child);
          assert.equal(select(child, maxParents).length, Math.min(maxParents, usableParents(child).length));
        },
      ),
    );
  });

  it('has a peer at the origin and a complete one whenever there are such', () => {
    fc.assert(
      fc.property(fc.array(PLAN, { minLength: 2, maxLength: 12 }), (plans) => {
        const [child] = buildTask(plans);
        assert.ok(child);
        const usable = usableParents(child);
        const chosen = select(child, 4);
        if (usable.some(({ state }) => state === 'BackToSource'))
          assert.ok(chosen.some(({ state }) => state === 'BackToSource'));
        const rooted = rootedParents(child, usable);
        if (rooted.size > 0) assert.ok(chosen.some((peer) => rooted.has(peer)));
      }),
    );
  });

  it('has the peer at the origin also where enough complete ones would be better', () => {
    const cluster = new TestCluster();
    for (let number = 0; number < 6; number++) cluster.complete(`parent${number}`);
    const origin = cluster.join('origin');
    origin.state = 'BackToSource';
    assert.ok(select(cluster.join('child'), 4).includes(origin));
  });

  it('spreads children over equal parents', () => {
    const cluster = new TestCluster({ random: Math.random });
    const parents = Array.from({ length: 8 }, (_, index) => cluster.complete(`parent${index}`));
    for (let index = 0; index < 40; index++) {
      const child = cluster.join(`child${index}`, {}, { disableShared: true });
      setParents(child, select(child, 4));
    }
    const counts = parents.map(({ children }) => children.size);
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      160,
    );
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 8, `children per parent: ${counts.join(' ')}`);
  });

  const favourites: [string, Parameters<TestCluster['complete']>[2], Parameters<TestCluster['complete']>[2]][] = [
    ['one of the same idc', { idc: 'Zurich' }, { idc: 'bern' }],
    ['one nearer by location', { location: 'eu|ch|zh' }, { location: 'us|ca|sf' }],
    ['an idle one', {}, { txBitsPerSecond: 1e9 }],
    ['a seed', { type: 1 }, {}],
  ];
  for (const [what, better, worse] of favourites)
    it(`prefers ${what}`, () => {
      const cluster = new TestCluster();
      cluster.complete('worse', {}, worse);
      cluster.complete('better', {}, better);
      const child = cluster.join('child', {}, { idc: 'zurich', location: 'eu|ch|zh' });
      assert.equal(select(child, 1, () => 0.5)[0]?.id, 'better-peer');
    });

  it('prefers a complete copy to a download that runs', () => {
    const cluster = new TestCluster();
    cluster.core.report(cluster.join('running'), { kind: 'started' });
    cluster.complete('complete');
    cluster.core.report(cluster.join('running too'), { kind: 'started' });
    const child = cluster.join('child');
    const options = { maxParents: 4, random: () => 0.5 };
    const ranked = selectParents(child, usableParents(child), new Set(), options);
    assert.equal(ranked[0]?.id, 'complete-peer');
  });

  it('ranks a parent last that has become slow, but still has it', () => {
    const cluster = new TestCluster();
    const slow = cluster.complete('slow');
    cluster.complete('steady');
    for (const costMs of [10, 10, 10, 10, 10, 400]) cluster.core.report(slow, { kind: 'piece-finished', costMs });
    const child = cluster.join('child');
    assert.deepEqual(
      select(child, 4, () => 0.5).map(({ id }) => id),
      ['steady-peer', 'slow-peer'],
    );
  });

  it('keeps a parent that serves already among equals', () => {
    const cluster = new TestCluster();
    const parents = Array.from({ length: 8 }, (_, index) => cluster.complete(`parent${index}`));
    const child = cluster.join('child');
    const kept = parents[5];
    assert.ok(kept);
    setParents(child, [kept]);
    for (let round = 0; round < 20; round++) assert.ok(select(child, 4).includes(kept));
  });

  it('counts a ring of waiting peers as having no root', () => {
    const cluster = new TestCluster();
    const [first, second, third] = ['a', 'b', 'c'].map((host) => cluster.join(host));
    assert.ok(first && second && third);
    setParents(first, [second]);
    setParents(second, [third]);
    setParents(third, [first]);
    assert.equal(rootedParents(first, usableParents(first)).size, 0);
    third.state = 'BackToSource';
    assert.deepEqual(
      [...rootedParents(first, usableParents(first))].map(({ id }) => id),
      ['b-peer', 'c-peer'],
    );
  });

  it('counts as having no root who has it from the child itself, or from a parent that it blocked', () => {
    const cluster = new TestCluster();
    const [origin, child, fed] = ['a', 'b', 'c'].map((host) => cluster.join(host));
    assert.ok(origin && child && fed);
    origin.state = 'BackToSource';
    child.leavesRings = true;
    setParents(child, [origin]);
    setParents(fed, [child]);
    assert.deepEqual(usableParents(child), [origin, fed]);
    assert.deepEqual([...rootedParents(child, usableParents(child))], [origin]);
    setParents(fed, [origin]);
    assert.deepEqual([...rootedParents(child, usableParents(child))], [origin, fed]);
    fed.blocked.add(origin.id);
    assert.deepEqual([...rootedParents(child, usableParents(child))], [origin]);
  });

  it('takes a partial copy for a root only of what it covers', () => {
    const cluster = new TestCluster();
    const half = cluster.complete('half', { range: { offset: 0, length: 5 * PIECE_LENGTH } });
    const whole = cluster.join('whole');
    const inside = cluster.join('inside', { range: { offset: PIECE_LENGTH, length: PIECE_LENGTH } });
    assert.deepEqual([...rootedParents(whole, usableParents(whole))], []);
    assert.deepEqual([...rootedParents(inside, usableParents(inside))], [half]);
    assert.equal(half.task.id, taskId());
    const same = cluster.join('same', { range: { offset: 0, length: 5 * PIECE_LENGTH } });
    assert.ok(rootedParents(same, usableParents(same)).has(half));
    const beyond = cluster.join('beyond', { range: { offset: PIECE_LENGTH, length: 5 * PIECE_LENGTH } });
    assert.ok(!rootedParents(beyond, usableParents(beyond)).has(half));
    const middle = cluster.complete('middle', { range: { offset: PIECE_LENGTH, length: 5 * PIECE_LENGTH } });
    assert.ok(!rootedParents(same, usableParents(same)).has(middle));
  });

  it('takes no parent whose pieces have another length', () => {
    const cluster = new TestCluster();
    cluster.complete('parent');
    const { content } = cluster.join('like');
    const child = cluster.join('unlike', { content: { ...content, pieceLength: 2 * PIECE_LENGTH } });
    assert.deepEqual(usableParents(child), []);
    const unknown = cluster.join('unknown', {
      content: { ...content, contentLength: undefined, pieceLength: undefined },
    });
    assert.ok(usableParents(unknown).length > 0);
  });

  it('holds only the last few failures of its host against a parent', () => {
    const cluster = new TestCluster();
    const [some, many] = ['some', 'many'].map((host) => cluster.complete(host));
    assert.ok(some && many);
    [some.host.failedPieceCount, many.host.failedPieceCount] = [4, 100];
    const child = cluster.join('child');
    assert.equal(scoreParent(many, child, 0), scoreParent(some, child, 0));
  });

  it('prefers the one with fewer children where their lines could carry many', () => {
    const cluster = new TestCluster();
    const line = { maxTxBitsPerSecond: 1e15 };
    const [busiest, busy] = ['busiest', 'busy'].map((host) => cluster.complete(host, {}, line));
    assert.ok(busiest && busy);
    for (const [index, parents] of [[busiest], [busiest, busy], [busiest, busy]].entries())
      setParents(cluster.join(`fed${index}`, { concurrentPieceCount: 0 }, { disableShared: true }), parents);
    assert.equal(select(cluster.join('child'), 1, () => 0.5)[0], busy);
  });

  it('takes a parent that does not know the length yet', () => {
    const cluster = new TestCluster();
    const content = { contentLength: undefined, pieceLength: undefined, pieceCount: undefined };
    const parent = cluster.join('parent', { content });
    assert.deepEqual(usableParents(cluster.join('child')), [parent]);
  });

  it('calls no parent slow before its fifth piece', () => {
    const costs = new PieceCosts();
    for (const costMs of [10, 10, 10, 400]) costs.add(costMs);
    assert.equal(costs.isSlow, false);
    costs.add(10_000);
    assert.equal(costs.isSlow, true);
  });

  it('calls a parent slow whose last piece took more than twenty times the mean of those before', () => {
    const costs = new PieceCosts();
    for (const costMs of [10, 10, 10, 10, 200]) costs.add(costMs);
    assert.equal(costs.isSlow, false);
    for (const costMs of [48, 961]) costs.add(costMs);
    assert.equal(costs.isSlow, true);
  });
});
