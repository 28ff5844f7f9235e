import assert from 'node:assert/strict';
import { systemClock } from '../../../src/core/clock.js';
import { TrafficType } from '../../../src/core/piece.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { Arrivals } from '../../../src/peer/store/arrivals.js';
import { RememberedArrivals } from '../../../src/peer/store/remembered-arrivals.js';
import type { TaskListener } from '../../../src/peer/store/stored-task.js';
import { announcePieces, type AnnouncedTask } from '../../../src/peer/swarm/announce-pieces.js';
import { OfferPacing } from '../../../src/peer/swarm/offer-pacing.js';
import { until } from '../../support/until.js';

const LENGTH = 64 * 1024;
const taskId = computeTaskId({ url: 'http://example.com/' });
const sliceOf = (number: number) => ({ number, offset: number * 4 * LENGTH, length: 4 * LENGTH });

/** A task that is being downloaded. */
class GrowingTask implements AnnouncedTask {
  readonly taskId = taskId;
  readonly downloading = true;
  readonly complete = false;
  readonly arrivals = new Arrivals(LENGTH, { memory: new RememberedArrivals(), clock: systemClock });
  readonly stored = new Set<number>();
  readonly listeners = new Set<TaskListener>();

  piece(number: number): { trafficType: TrafficType } | undefined {
    return this.stored.has(number) ? { trafficType: TrafficType.REMOTE_PEER } : undefined;
  }

  subscribe(listener: TaskListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  store(number: number): void {
    this.stored.add(number);
    for (const listener of this.listeners) listener.onPiece?.({ ...sliceOf(number) } as never);
  }
}

describe('pieces that are told to a child while they arrive', () => {
  let task: GrowingTask;
  let pacing: OfferPacing;
  let leaving: AbortController;
  let running: Promise<void>[];

  beforeEach(() => {
    [task, pacing, leaving, running] = [new GrowingTask(), new OfferPacing(), new AbortController(), []];
  });

  afterEach(async () => {
    leaving.abort();
    await Promise.all(running);
  });

  function listen(hostId: string, takesBlocks: boolean): number[] {
    const heard: number[] = [];
    const child = pacing.join({ taskId, hostId, ip: hostId });
    const announce = async (number: number): Promise<void> => void heard.push(number);
    const telling = { child, takesBlocks, announce };
    running.push(announcePieces(task, new Set([0, 1, 2]), telling, leaving.signal).finally(() => child.leave()));
    return heard;
  }

  it('are told with their first block to one that takes blocks, to others once they are stored', async () => {
    const [blocks, whole] = [listen('10.0.0.1', true), listen('10.0.0.2', false)];
    const arrival = task.arrivals.begin(sliceOf(1), { isFromOrigin: false });
    task.store(0);
    await until('both to hear of the first', () => blocks.length === 1 && whole.length === 1);
    arrival.onBlock(11);
    await until('one to hear of what arrives', () => blocks.length === 2);
    task.store(2);
    await until('both to hear of the next', () => blocks.length === 3 && whole.length === 2);
    assert.deepEqual(blocks, [0, 1, 2]);
    assert.deepEqual(whole, [0, 2]);
    for (const sum of [12, 13, 14]) arrival.onBlock(sum);
    task.arrivals.end(arrival);
    task.store(1);
    await until('the other to hear of it as well', () => whole.length === 3);
  });

  it('are told of again once more comes of one that came no further, until all are stored', async () => {
    const heard = listen('10.0.0.1', true);
    const first = task.arrivals.begin(sliceOf(0), { isFromOrigin: false });
    first.onBlock(11);
    await until('the child to hear of it', () => heard.length === 1);
    task.arrivals.end(first);
    const second = task.arrivals.begin(sliceOf(0), { isFromOrigin: false });
    second.onBlock(11);
    await until('the child to hear of it again', () => heard.length === 2);
    for (const number of [1, 2]) task.store(number);
    await until('the child to hear of all', () => heard.length === 4);
    task.arrivals.end(second);
    task.store(0);
    await running[0];
    assert.deepEqual(heard.slice(2).sort(), [0, 1, 2]);
  });

  it('are news when they come from the origin: one child is told, as long as it may pass them on', async () => {
    const heard = [listen('10.0.0.1', true), listen('10.0.0.2', true)];
    for (const index of [0, 1]) says(`10.0.0.${index + 1}`);
    const arrival = task.arrivals.begin(sliceOf(0), { isFromOrigin: true });
    arrival.onBlock(11);
    await until('one to be told', () => heard.flat().length > 0);
    task.arrivals.begin(sliceOf(1), { isFromOrigin: false }).onBlock(11);
    await until('both to be told of what is no news', () => heard.flat().length >= 3);
    assert.deepEqual(heard.flat().sort(), [0, 1, 1]);
  });

  /** It has nothing, and the other child as a parent. */
  function says(hostId: string): void {
    const none = { has: () => false, size: 0 } as never;
    const parentHostIds = ['10.0.0.1', '10.0.0.2'].filter((other) => other !== hostId);
    pacing.learn({ taskId, hostId, ip: hostId }, { held: none, here: none, parentHostIds });
  }
});
