import type { SchedulerHost, SchedulerPeer } from './model.js';

/** Load, idc, location and type weigh as in Dragonfly's scheduler (docs/WIRE.md 1.6). */
const WEIGHT = { load: 0.6, idc: 0.2, location: 0.1, type: 0.1 } as const;
const LOAD_WEIGHT = { assigned: 0.5, measured: 0.3, children: 0.2 } as const;
/** It has every piece now. Not so much that children would all leave the others for it. */
const COMPLETE_BONUS = 0.15;
/** What Rust children assume of a host that doesn't tell. */
const ASSUMED_TX_BITS_PER_SECOND = 10_000_000_000;
const ASSUMED_PIECE_LENGTH = 4 * 1024 * 1024;
const ASSUMED_CONCURRENT_PIECES = 8;
const LOCATION_LEVELS = 5;
/** Dragonfly hides a slow parent; it may be the only one at the origin, so here it only ranks last. */
const SLOW_PENALTY = 0.3;
const FAILED_PIECE_PENALTY = 0.05;
const MAX_PENALISED_FAILURES = 4;

/**
 * How good `parent` would be for `child`: higher is better. `mostChildren` is what the busiest of those compared has: beyond what
 * a link carries, their numbers still tell parents apart.
 */
export function scoreParent(parent: SchedulerPeer, child: SchedulerPeer, mostChildren: number): number {
  const { host } = parent;
  const penalty =
    (parent.costs.isSlow ? SLOW_PENALTY : 0) +
    Math.min(host.failedPieceCount, MAX_PENALISED_FAILURES) * FAILED_PIECE_PENALTY;
  return (
    WEIGHT.load * idleness(parent, mostChildren) +
    WEIGHT.idc * idcAffinity(host, child.host) +
    WEIGHT.location * locationAffinity(host, child.host) +
    WEIGHT.type * (isSeed(host) ? 1 : 0.5) +
    (parent.state === 'Succeeded' ? COMPLETE_BONUS : 0) -
    penalty
  );
}

export function isSeed(host: SchedulerHost): boolean {
  return host.type !== 0;
}

function idleness(parent: SchedulerPeer, mostChildren: number): number {
  const maxTx = parent.host.maxTxBitsPerSecond > 0 ? parent.host.maxTxBitsPerSecond : ASSUMED_TX_BITS_PER_SECOND;
  let assignedTx = 0;
  for (const child of parent.children) {
    const pieceLength = child.content.pieceLength ?? ASSUMED_PIECE_LENGTH;
    assignedTx += pieceLength * (child.concurrentPieceCount ?? ASSUMED_CONCURRENT_PIECES) * 8;
  }
  return (
    LOAD_WEIGHT.assigned * clamp(1 - assignedTx / maxTx) +
    LOAD_WEIGHT.measured * clamp(1 - parent.host.txBitsPerSecond / maxTx) +
    LOAD_WEIGHT.children * clamp(1 - parent.children.size / Math.max(mostChildren, 1))
  );
}

function idcAffinity(parent: SchedulerHost, child: SchedulerHost): number {
  return parent.idc !== '' && parent.idc.toLowerCase() === child.idc.toLowerCase() ? 1 : 0;
}

/** The share of equal leading levels: `eu|de|fra` and `eu|de|ber` agree on 2 of 5. */
function locationAffinity(parent: SchedulerHost, child: SchedulerHost): number {
  if (parent.location === '' || child.location === '') return 0;
  const [ours, theirs] = [parent.location, child.location].map((text) => text.toLowerCase().split('|'));
  if (ours === undefined || theirs === undefined) return 0;
  if (parent.location.toLowerCase() === child.location.toLowerCase()) return 1;
  const differing = ours.findIndex((level, index) => level !== theirs[index]);
  return Math.min(differing < 0 ? ours.length : differing, LOCATION_LEVELS) / LOCATION_LEVELS;
}

function clamp(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}
