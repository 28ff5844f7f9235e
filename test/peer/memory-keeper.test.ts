import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { silentLogger } from '../../src/core/logger.js';
import { MEMORY_INTERVAL_MS, MemoryKeeper } from '../../src/peer/memory-keeper.js';
import { ManualClock } from '../support/manual-clock.js';

const MIB = 1024 * 1024;

describe('the memory keeper', () => {
  it('collects and trims an idle daemon once after each time it has grown', () => {
    const { look, daemon } = keep();
    look();
    assert.deepEqual(look(), { collected: 1, trimmed: 2 });
    assert.deepEqual(look(), { collected: 1, trimmed: 2 });
    daemon.resident += MIB;
    assert.deepEqual(look(), { collected: 1, trimmed: 2 });
    daemon.resident += 100 * MIB;
    assert.deepEqual(look(), { collected: 2, trimmed: 3 });
  });

  it('only trims while the daemon works, and collects when it rests', () => {
    const { look, daemon } = keep();
    daemon.isBusy = true;
    look();
    assert.deepEqual(look(), { collected: 0, trimmed: 2 });
    daemon.isBusy = false;
    assert.deepEqual(look(), { collected: 0, trimmed: 3 });
    assert.deepEqual(look(), { collected: 1, trimmed: 4 });
  });

  it('does nothing while it can not be told how large the daemon is', () => {
    const { look, daemon } = keep();
    daemon.isTold = false;
    assert.deepEqual(look(), { collected: 0, trimmed: 0 });
    daemon.isTold = true;
    look();
    assert.deepEqual(look(), { collected: 1, trimmed: 1 });
  });

  it('does nothing more once stopped', () => {
    const { look, daemon, stop } = keep();
    stop();
    daemon.resident += 500 * MIB;
    look();
    assert.deepEqual(look(), { collected: 0, trimmed: 0 });
  });

  it('really lets go of what nobody needs', async () => {
    const clock = new ManualClock();
    const keeper = new MemoryKeeper({ isBusy: () => false, clock, logger: silentLogger });
    const garbage = makeGarbage();
    // Until its job ends, a weak reference is a strong one.
    await nextTurn();
    keeper.start();
    clock.advance(MEMORY_INTERVAL_MS);
    clock.advance(MEMORY_INTERVAL_MS);
    keeper.stop();
    assert.equal(garbage.deref(), undefined);
  });
});

function makeGarbage(): WeakRef<object> {
  return new WeakRef(Array.from({ length: 1000 }, (_, index) => ({ index })));
}

/** A keeper of a daemon that has 10 MiB to give back after each growth, once it is idle. */
function keep(): {
  daemon: { isBusy: boolean; isTold: boolean; resident: number };
  look: () => { collected: number; trimmed: number };
  stop: () => void;
} {
  const clock = new ManualClock();
  const daemon = { isBusy: false, isTold: true, resident: 100 * MIB };
  const counts = { collected: 0, trimmed: 0 };
  const keeper = new MemoryKeeper({
    isBusy: () => daemon.isBusy,
    clock,
    logger: silentLogger,
    residentBytes: () => (daemon.isTold ? daemon.resident : undefined),
    collect: () => counts.collected++,
    trim: () => {
      counts.trimmed++;
      if (!daemon.isBusy) daemon.resident -= 10 * MIB;
    },
  });
  keeper.start();
  return {
    daemon,
    look: () => {
      clock.advance(MEMORY_INTERVAL_MS);
      return { ...counts };
    },
    stop: () => keeper.stop(),
  };
}
