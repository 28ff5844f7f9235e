import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { blockLengthOf } from '../../src/core/piece-blocks.js';
import { computeTaskId } from '../../src/core/task-id.js';
import { VirtualClock } from '../simulation/virtual-clock.js';
import { Random } from '../simulation/random.js';
import { ModelNode, ORIGIN } from './model-node.js';
import { SharedLines } from './shared-lines.js';

export interface ModelOptions {
  nodes: number;
  seed: number;
  /** Of each message, on average, in milliseconds. */
  latencyMs?: number;
  /** A piece is passed on in blocks of so many bytes; by default as in a daemon. */
  blockBytes?: number;
}

export interface ModelResult {
  /** When the last node had the whole file, over size / bandwidth: nothing can be faster than 1. */
  lastDone: number;
  /** How many files the origin has sent. */
  originSent: number;
}

const PIECE_BYTES = 4 * 1024 * 1024;
const PIECE_COUNT = 64;
const BYTES_PER_SECOND = 25_000_000;
/** Transfers on a crowded line get between half and all of an even share. */
const UNEVENNESS = 0.5;
/** In which all nodes begin. */
const START_MS = 200;
const DEADLINE_MS = 600_000;

/** All nodes want one file of 256 MiB, over lines of 200 Mbit/s; the first one reads the origin, everybody knows everybody. */
export async function runModel({
  nodes,
  seed,
  latencyMs = 15,
  blockBytes = blockLengthOf(PIECE_BYTES),
}: ModelOptions): Promise<ModelResult> {
  const chance = new Random(seed);
  const random = (): number => chance.next();
  const clock = new VirtualClock();
  const lines = new SharedLines(clock, BYTES_PER_SECOND);
  const over = new AbortController();
  setMaxListeners(0, over.signal);
  const surroundings = {
    clock,
    lines,
    random,
    taskId: computeTaskId({ url: 'http://example.com/' }),
    pieceCount: PIECE_COUNT,
    pieceBytes: PIECE_BYTES,
    blockBytes,
    latencyMs: () => latencyMs * (0.5 + random()),
    weight: () => 1 - UNEVENNESS * random(),
    signal: over.signal,
  };
  const all = Array.from({ length: nodes }, (_, index) => new ModelNode(`node${index}`, index === 0, surroundings));
  for (const node of all) clock.after(random() * START_MS, () => node.start(all.filter((other) => other !== node)));
  const isDone = (): boolean => all.every(({ doneAtMs }) => doneAtMs !== undefined);
  assert.ok(await clock.runUntil(isDone, DEADLINE_MS), `${nodes} nodes are done, seed ${seed}`);
  over.abort();
  const boundMs = ((PIECE_COUNT * PIECE_BYTES) / BYTES_PER_SECOND) * 1000;
  return {
    lastDone: clock.monotonicMs() / boundMs,
    originSent: lines.sentBytes(ORIGIN) / (PIECE_COUNT * PIECE_BYTES),
  };
}
