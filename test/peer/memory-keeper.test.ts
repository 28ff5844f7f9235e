import assert from 'node:assert/strict';
import { silentLogger } from '../../src/core/logger.js';
import { IDLE_MEMORY_INTERVAL_MS, MemoryKeeper } from '../../src/peer/memory-keeper.js';
import { FakeClock } from '../scheduler/fake-clock.js';

const MIB = 1024 * 1024;

describe('an idle daemon', () => {
  it('gives memory back once after each time it has grown, and never while it works', () => {
    const clock = new FakeClock();
    let isBusy = false;
    let resident = 100 * MIB;
    let times = 0;
    const keeper = new MemoryKeeper({
      isBusy: () => isBusy,
      clock,
      logger: silentLogger,
      residentBytes: () => resident,
      giveBack: () => {
        times++;
        resident = 90 * MIB;
      },
    });
    const look = (): number => {
      clock.advance(IDLE_MEMORY_INTERVAL_MS);
      return times;
    };
    keeper.start();
    look();
    assert.equal(look(), 1);
    assert.equal(look(), 1);
    isBusy = true;
    resident = 200 * MIB;
    assert.equal(look(), 1);
    isBusy = false;
    look();
    assert.equal(look(), 2);
    resident += MIB;
    assert.equal(look(), 2);
    keeper.stop();
    resident = 500 * MIB;
    assert.equal(look(), 2);
  });

  it('really has less afterwards', () => {
    const clock = new FakeClock();
    const keeper = new MemoryKeeper({ isBusy: () => false, clock, logger: silentLogger });
    const before = process.memoryUsage().heapUsed;
    makeGarbage(before + 10 * MIB);
    keeper.start();
    clock.advance(IDLE_MEMORY_INTERVAL_MS);
    clock.advance(IDLE_MEMORY_INTERVAL_MS);
    keeper.stop();
    assert.ok(process.memoryUsage().heapUsed < before + 10 * MIB, 'the garbage is gone');
  });
});

function makeGarbage(heapBytes: number): void {
  const garbage = Array.from({ length: 300_000 }, (_, index) => ({ index, text: `${index}` }));
  assert.ok(process.memoryUsage().heapUsed > heapBytes && garbage.length > 0);
}
