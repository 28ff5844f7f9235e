import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { DfpeerError } from '../../src/core/errors.js';
import type { RouteChoice } from '../../src/upload/route.js';
import type { Segment, SegmentEnd } from '../../src/upload/transfer/segment.js';
import { Upload, type UploadHost, type UploadSpec } from '../../src/upload/transfer/upload.js';

const SENDFILE: RouteChoice = { route: 'sendfile', reason: 'unthrottled', limited: false };
const COPY: RouteChoice = { route: 'copy', reason: 'limited', limited: true };
const PACED: RouteChoice = { route: 'paced', reason: 'limited', limited: true };
const LENGTH = 1000;
const BUDGET = { take: (wanted: number) => Promise.resolve(wanted), giveBack: () => undefined };
const COMPLETE: SegmentEnd = { kind: 'complete' };

class TestSocket extends EventEmitter {
  destroyed = false;

  destroy(): void {
    this.destroyed = true;
  }
}

/** What an upload sees of its surroundings; its routes are told what to do. */
class TestHost {
  choice = SENDFILE;
  nowMs = 5000;
  held = 0;
  allowed = 0;
  readonly counted: [string, number][] = [];
  readonly fallbacks: unknown[] = [];
  readonly routes: ((segment: Segment) => Promise<SegmentEnd> | SegmentEnd)[] = [];
  readonly went: RouteChoice[] = [];

  choose(_socket: unknown, fallback: unknown): RouteChoice {
    this.fallbacks.push(fallback);
    return this.choice;
  }

  async runRoute(choice: RouteChoice, segment: Segment): Promise<SegmentEnd> {
    this.went.push(choice);
    const route = this.routes.shift();
    assert.ok(route);
    return route(segment);
  }

  allow(): object {
    this.held++;
    this.allowed++;
    return { budget: BUDGET, release: () => this.held-- };
  }

  countBytes(_protocol: string, { route }: RouteChoice, bytes: number): void {
    this.counted.push([route, bytes]);
  }

  now(): number {
    return 1_700_000_000_000 + this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }
}

describe('an upload', () => {
  let host: TestHost;
  let socket: TestSocket;

  beforeEach(() => {
    host = new TestHost();
    socket = new TestSocket();
  });

  function upload(): Upload {
    const range = { offset: 50, length: LENGTH };
    const spec = { protocol: 'http', socket, head: Buffer.from('head'), range, task: { file: { fd: 7 } } };
    return new Upload(spec as unknown as UploadSpec, host as unknown as UploadHost, 1);
  }

  it('tells what it sent, by which route, and how long that took', async () => {
    const running = upload();
    assert.equal(running.sinceMs, 1_700_000_005_000);
    assert.deepEqual([running.bytesSent, running.offset, running.left], [0, 50, LENGTH]);
    host.routes.push((segment) => {
      segment.moved(LENGTH);
      host.nowMs += 30;
      return COMPLETE;
    });
    const outcome = await running.run();
    const expected = {
      result: 'complete',
      choice: SENDFILE,
      bytesSent: LENGTH,
      durationMs: 30,
      waitedMs: 0,
      error: undefined,
    };
    assert.deepEqual(outcome, expected);
    assert.equal(socket.destroyed, false);
    assert.equal(socket.listenerCount('close'), 0, 'a kept connection collects no listeners');
  });

  it('goes on at the exact byte by another route, with what is left of its head', async () => {
    const seen: [string, number, number][] = [];
    const note = ({ head, offset, left }: Segment): number => seen.push([Buffer.from(head).toString(), offset, left]);
    host.routes.push(
      (segment) => {
        note(segment);
        segment.movedHead(1);
        host.choice = COPY;
        return { kind: 'interrupted' };
      },
      (segment) => {
        note(segment);
        segment.movedHead(3);
        segment.moved(300);
        host.choice = SENDFILE;
        return { kind: 'interrupted' };
      },
      (segment) => {
        note(segment);
        segment.moved(700);
        return COMPLETE;
      },
    );
    const outcome = await upload().run();
    assert.deepEqual(seen, [
      ['head', 50, LENGTH],
      ['ead', 50, LENGTH],
      ['', 350, 700],
    ]);
    assert.deepEqual(host.went, [SENDFILE, COPY, SENDFILE]);
    assert.deepEqual(host.counted, [
      ['copy', 300],
      ['sendfile', 700],
    ]);
    assert.deepEqual([outcome.choice, outcome.bytesSent], [SENDFILE, LENGTH]);
  });

  it('spends leases only while it is limited, and holds one place at the limiter until its end', async () => {
    const budgets: unknown[] = [];
    const held: number[] = [];
    const step =
      (next: RouteChoice, end: SegmentEnd) =>
      (segment: Segment): SegmentEnd => {
        budgets.push(segment.budget);
        held.push(host.held);
        host.choice = next;
        return end;
      };
    const interrupted = { kind: 'interrupted' } as const;
    host.routes.push(step(COPY, interrupted), step(PACED, interrupted), step(SENDFILE, interrupted));
    host.routes.push(step(SENDFILE, COMPLETE));
    await upload().run();
    assert.deepEqual(budgets, [undefined, BUDGET, BUDGET, undefined]);
    assert.deepEqual([held, host.held, host.allowed], [[0, 1, 1, 1], 0, 1]);
  });

  for (const [what, next] of [
    ['route', PACED],
    ['reason', { ...COPY, reason: 'tls' }],
    ['limit', { ...COPY, limited: false }],
  ] as [string, RouteChoice][])
    it(`is interrupted where another ${what} is right from now on, and only then`, async () => {
      host.choice = COPY;
      const running = upload();
      let interruptions = 0;
      host.routes.push(
        (segment) => {
          segment.onInterrupt = (): void => {
            interruptions++;
          };
          running.reconsider();
          assert.deepEqual([segment.interrupted, interruptions], [false, 0]);
          host.choice = next;
          running.reconsider();
          assert.deepEqual([segment.interrupted, interruptions], [true, 1]);
          return { kind: 'interrupted' };
        },
        (segment) => {
          assert.equal(segment.interrupted, false);
          return COMPLETE;
        },
      );
      assert.equal((await running.run()).choice, next);
      running.reconsider();
      assert.equal(running.interrupted, true);
    });

  for (const how of ['the client leaves', 'it is told to'] as const)
    it(`ends at once when ${how}, whatever it waits for`, async () => {
      const running = upload();
      let interruptions = 0;
      host.routes.push(async (segment) => {
        segment.onInterrupt = (): void => {
          interruptions++;
        };
        const { signal } = segment;
        assert.equal(segment.signal, signal);
        const aborted = once(signal, 'abort');
        if (how === 'the client leaves') socket.emit('close');
        else running.stop('stopped');
        await aborted;
        assert.ok(segment.interrupted && segment.signal.aborted);
        assert.equal(interruptions, 1);
        return { kind: 'interrupted' };
      });
      const ended = running.run();
      const { result } = await ended;
      running.stop('timed-out');
      assert.equal(result, how === 'the client leaves' ? 'client-closed' : 'stopped');
      assert.deepEqual([socket.destroyed, interruptions], [true, 1]);
      assert.equal(running.signal.aborted, true);
    });

  it('tells a wait that begins after the end of it', async () => {
    const running = upload();
    host.routes.push((segment) => {
      running.stop('stopped');
      assert.equal(segment.signal.aborted, true);
      return { kind: 'interrupted' };
    });
    assert.equal((await running.run()).result, 'stopped');
  });

  it('keeps the first reason of its end', async () => {
    const running = upload();
    host.routes.push(() => {
      running.stop('timed-out');
      socket.emit('close');
      return { kind: 'closed' };
    });
    assert.equal((await running.run()).result, 'timed-out');
    assert.equal(host.fallbacks.length, 1, 'no other route is looked for');
  });

  it('sends nothing to a client that has left', async () => {
    socket.destroyed = true;
    const { result, bytesSent } = await upload().run();
    assert.deepEqual([result, bytesSent, host.went], ['client-closed', 0, []]);
  });

  const error = new DfpeerError('DFP_INTERNAL', 'broken');
  for (const [end, result] of [
    [{ kind: 'closed' }, 'client-closed'],
    [{ kind: 'file-error', error }, 'file-error'],
    [{ kind: 'broken', error }, 'engine-error'],
    [{ kind: 'refused', error }, 'stopped'],
  ] as [SegmentEnd, string][])
    it(`ends as ${result} when its route says ${end.kind}`, async () => {
      host.routes.push(() => end);
      const outcome = await upload().run();
      assert.deepEqual([outcome.result, outcome.error], [result, 'error' in end ? error : undefined]);
    });

  for (const [end, fallback] of [
    [{ kind: 'unsupported' }, 'unsupported-file'],
    [{ kind: 'engine-failed', error }, 'engine-failed'],
    [{ kind: 'interrupted' }, undefined],
  ] as [SegmentEnd, string | undefined][])
    it(`goes on after ${end.kind}, and knows why`, async () => {
      host.routes.push(() => end);
      host.routes.push(() => COMPLETE);
      assert.equal((await upload().run()).result, 'complete');
      assert.deepEqual(host.fallbacks, [undefined, fallback]);
    });

  it('counts what a running sendfile has sent at each check, and each byte once', async () => {
    const running = upload();
    let inFlight = 0;
    host.routes.push((segment) => {
      segment.inFlight = () => inFlight;
      running.checkProgress(1);
      inFlight = 300;
      assert.equal(running.bytesSent, 300);
      running.checkProgress(1);
      running.checkProgress(1);
      for (inFlight = 350; inFlight <= 400; inFlight += 50) running.checkProgress(1);
      segment.inFlight = undefined;
      segment.moved(400);
      segment.inFlight = () => 100;
      assert.equal(running.bytesSent, 500);
      running.checkProgress(1);
      segment.inFlight = undefined;
      segment.moved(100);
      segment.moved(500);
      return COMPLETE;
    });
    await running.run();
    assert.deepEqual(
      host.counted.map(([, bytes]) => bytes),
      [300, 50, 50, 100, 500],
    );
  });

  it('tells at how many checks in a row the client had taken too little since it last took enough', async () => {
    const running = upload();
    host.routes.push((segment) => {
      const after = (bytes: number): number => {
        segment.moved(bytes);
        return running.checkProgress(100);
      };
      assert.deepEqual([after(99), after(0), after(1)], [1, 2, 0]);
      assert.deepEqual([after(99), after(0), after(1), after(150)], [1, 2, 0, 0]);
      segment.moved(LENGTH - 350);
      return COMPLETE;
    });
    await running.run();
  });
});
