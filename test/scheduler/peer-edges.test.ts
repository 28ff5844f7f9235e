import assert from 'node:assert/strict';
import type { SchedulerPeer } from '../../src/scheduler/model.js';
import { blockParent, dropEdges, setParents } from '../../src/scheduler/peer-edges.js';
import { TestCluster } from './cluster-fixture.js';

describe('who feeds whom', () => {
  let peers: SchedulerPeer[];
  const peer = (index: number): SchedulerPeer => peers[index] ?? assert.fail();
  /** By number, as both sides know them. */
  const parentsOf = (index: number): number[] => {
    const parents = peers.flatMap((each, number) => (peer(index).parents.has(each) ? [number] : []));
    const feeding = peers.flatMap((each, number) => (each.children.has(peer(index)) ? [number] : []));
    assert.deepEqual(parents, feeding, 'both sides agree');
    return parents;
  };

  beforeEach(() => {
    const cluster = new TestCluster();
    peers = ['a', 'b', 'c', 'd'].map((host) => cluster.join(host));
    setParents(peer(0), [peer(1), peer(2)]);
    setParents(peer(3), [peer(0), peer(1)]);
  });

  it('is told anew by the parents that a child is given', () => {
    setParents(peer(0), [peer(2), peer(3)]);
    assert.deepEqual(
      [parentsOf(0), parentsOf(3)],
      [
        [2, 3],
        [0, 1],
      ],
    );
  });

  it('ends with a parent that the child has reported, also one that is gone', () => {
    blockParent(peer(0), peer(1).id, 10);
    blockParent(peer(0), 'gone', 10);
    assert.deepEqual([parentsOf(0), parentsOf(3)], [[2], [0, 1]]);
    assert.deepEqual([...peer(0).blocked], [peer(1).id, 'gone']);
  });

  it('ends both ways with a peer that goes', () => {
    dropEdges(peer(0));
    assert.deepEqual([parentsOf(0), parentsOf(3)], [[], [1]]);
  });

  it('remembers the last reports only', () => {
    for (const id of ['one', 'two', 'three']) blockParent(peer(0), id, 2);
    assert.deepEqual([...peer(0).blocked], ['two', 'three']);
  });
});
