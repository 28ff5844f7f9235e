import type { SchedulerPeer } from './model.js';

/** Replaces a child's parents, on both sides. */
export function setParents(child: SchedulerPeer, parents: readonly SchedulerPeer[]): void {
  for (const parent of child.parents) parent.children.delete(child);
  child.parents.clear();
  addParents(child, parents);
}

export function addParents(child: SchedulerPeer, parents: readonly SchedulerPeer[]): void {
  for (const parent of parents) {
    child.parents.add(parent);
    parent.children.add(child);
  }
}

/** Ends one relation: the child reported the parent. */
export function blockParent(child: SchedulerPeer, parentId: string, maxBlocked: number): void {
  child.blocked.add(parentId);
  const [oldest] = child.blocked;
  if (child.blocked.size > maxBlocked && oldest !== undefined) child.blocked.delete(oldest);
  const parent = child.task.peers.get(parentId);
  if (parent === undefined) return;
  child.parents.delete(parent);
  parent.children.delete(child);
}

/** The peer neither gives nor takes any longer. */
export function dropEdges(peer: SchedulerPeer): void {
  setParents(peer, []);
  for (const child of peer.children) child.parents.delete(peer);
  peer.children.clear();
}
