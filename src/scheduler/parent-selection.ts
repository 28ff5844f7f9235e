import type { ByteRange } from '../core/piece.js';
import type { SchedulerPeer } from './model.js';
import { scoreParent } from './parent-score.js';

/** Spreads children over parents that are about as good as each other. */
const JITTER = 0.05;
/** A parent that the child is connected to already is only given up for a clearly better one. */
const KEPT_PARENT_BONUS = 0.3;

export interface SelectionOptions {
  maxParents: number;
  /** Evenly from [0, 1). */
  random: () => number;
}

/**
 * Everyone of the task that may give to `child` now or as soon as it has a piece. Pieces decide who gives, so cycles are fine, as long as
 * somebody in them leaves when the one they all lived on is gone.
 */
export function usableParents(child: SchedulerPeer): SchedulerPeer[] {
  const followers = child.leavesRings ? new Set<SchedulerPeer>() : followersOf(child);
  return [...child.task.peers.values()].filter((parent) => isUsableParent(parent, child) && !followers.has(parent));
}

/** Those that are fed by `peer`, directly or not, and would wait for it as long as it for them. */
function followersOf(peer: SchedulerPeer): Set<SchedulerPeer> {
  const followers = new Set([peer]);
  for (const follower of followers) for (const fed of follower.children) if (!fed.leavesRings) followers.add(fed);
  return followers;
}

export function isUsableParent(parent: SchedulerPeer, child: SchedulerPeer): boolean {
  return (
    parent.id !== child.id &&
    parent.host.id !== child.host.id &&
    !parent.host.disableShared &&
    !child.blocked.has(parent.id) &&
    isGiving(parent) &&
    haveSameContent(parent, child)
  );
}

/**
 * Those of `usable` who will have all that `child` wants: at the origin, complete, or fed by such a peer over parents other than
 * `child`. Peers that only wait for each other are not among them.
 */
export function rootedParents(child: SchedulerPeer, usable: readonly SchedulerPeer[]): Set<SchedulerPeer> {
  const reached = new Set<SchedulerPeer>();
  const queue = [...child.task.peers.values()].filter((peer) => peer !== child && isRoot(peer, child));
  for (let peer = queue.pop(); peer !== undefined; peer = queue.pop()) {
    if (reached.has(peer)) continue;
    reached.add(peer);
    for (const fed of peer.children) if (fed !== child && isUsableParent(peer, fed)) queue.push(fed);
  }
  return new Set(usable.filter((peer) => reached.has(peer)));
}

/**
 * The best parents for `child`, best first. A peer at the origin and a complete one are always among them, and so is one of `rooted`;
 * the rest is ranked by score with some chance.
 */
export function selectParents(
  child: SchedulerPeer,
  usable: readonly SchedulerPeer[],
  rooted: ReadonlySet<SchedulerPeer>,
  { maxParents, random }: SelectionOptions,
): SchedulerPeer[] {
  const mostChildren = Math.max(0, ...usable.map((peer) => peer.children.size));
  const ranked = usable
    .map((peer) => ({ peer, rank: scoreParent(peer, child, mostChildren) + bonus(peer, child) + JITTER * random() }))
    .sort((a, b) => b.rank - a.rank)
    .map(({ peer }) => peer);
  const sure = [
    ranked.find((peer) => isRoot(peer, child)),
    ranked.find((peer) => rooted.has(peer)),
    ranked.find((peer) => peer.state === 'BackToSource'),
  ].filter((peer) => peer !== undefined);
  return [...new Set([...sure, ...ranked])].slice(0, maxParents);
}

/** Needs nobody else to have all that `child` wants. */
export function isRoot(peer: SchedulerPeer, child: SchedulerPeer): boolean {
  return (peer.state === 'BackToSource' || peer.state === 'Succeeded') && covers(peer.range, child.range);
}

/** A peer that registered knows its task: children may subscribe to its pieces before the first one arrives. */
function isGiving(peer: SchedulerPeer): boolean {
  const { state } = peer;
  return state === 'ReceivedNormal' || state === 'Running' || state === 'BackToSource' || state === 'Succeeded';
}

/** An origin may have changed between two downloads of one URL. */
function haveSameContent({ content: ours }: SchedulerPeer, { content: theirs }: SchedulerPeer): boolean {
  return agree(ours.contentLength, theirs.contentLength) && agree(ours.pieceLength, theirs.pieceLength);
}

function agree(ours: number | undefined, theirs: number | undefined): boolean {
  return ours === undefined || theirs === undefined || ours === theirs;
}

function covers(outer: ByteRange | undefined, inner: ByteRange | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  return outer.offset <= inner.offset && outer.offset + outer.length >= inner.offset + inner.length;
}

function bonus(parent: SchedulerPeer, child: SchedulerPeer): number {
  return child.parents.has(parent) ? KEPT_PARENT_BONUS : 0;
}
