import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatagramReceiver } from '../../native/test/datagram-receiver.js';
import { ServiceManager } from '../../src/cli/service-manager.js';
import { silentLogger } from '../../src/core/logger.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('the service manager', () => {
  const directory = useTemporaryDirectory();

  /** A clock whose timers fire when told to. */
  function manualClock() {
    const delays: number[] = [];
    let fire: () => void = () => undefined;
    let cancelled = 0;
    const after = (delayMs: number, callback: () => void): (() => void) => {
      delays.push(delayMs);
      fire = callback;
      return () => {
        cancelled++;
      };
    };
    const clock = { now: () => 0, monotonicMs: () => 0, after };
    return { clock, delays, fire: () => fire(), cancelled: () => cancelled };
  }

  it('is left alone where none asked to be told', () => {
    const { clock, delays } = manualClock();
    const manager = new ServiceManager({ logger: silentLogger, env: { WATCHDOG_USEC: '3000000' }, clock });
    manager.ready('x');
    manager.stopping('x');
    assert.deepEqual(delays, []);
  });

  it("is told of each state, and pinged three times in the watchdog's time until the end", async function () {
    if (!DatagramReceiver.available) skipLoudly(this, 'python3 is not there to receive datagrams');
    const receiver = await DatagramReceiver.start(join(directory(), 'notify'));
    try {
      const { clock, delays, fire, cancelled } = manualClock();
      const env = { NOTIFY_SOCKET: receiver.path, WATCHDOG_USEC: '3000000', WATCHDOG_PID: String(process.pid) };
      const manager = new ServiceManager({ logger: silentLogger, env, clock, monotonicUs: () => 42n });
      manager.ready('two\nlines');
      assert.equal(await receiver.next(), 'READY=1\nSTATUS=two lines');
      assert.equal(await receiver.next(), 'WATCHDOG=1');
      fire();
      assert.equal(await receiver.next(), 'WATCHDOG=1');
      assert.deepEqual(delays, [1000, 1000]);
      manager.reloading();
      assert.match(await receiver.next(), /^RELOADING=1\nMONOTONIC_USEC=42\n/);
      manager.stopping('SIGTERM');
      assert.match(await receiver.next(), /^STOPPING=1\nSTATUS=.*SIGTERM/);
      manager.ready('the reload that began before');
      fire();
      assert.equal(await receiver.next(), 'WATCHDOG=1');
      const before = cancelled();
      manager.close();
      assert.equal(cancelled(), before + 1);
    } finally {
      await receiver.close();
    }
  });

  it("does not feed a watchdog that is another process's", async () => {
    const { clock, delays } = manualClock();
    const env = { NOTIFY_SOCKET: join(directory(), 'nobody'), WATCHDOG_USEC: '3000000', WATCHDOG_PID: '1' };
    new ServiceManager({ logger: silentLogger, env, clock }).ready('x');
    assert.deepEqual(delays, []);
  });

  it('that is not there costs one warning', () => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
    const manager = new ServiceManager({ logger, env: { NOTIFY_SOCKET: join(directory(), 'nobody') } });
    manager.ready('x');
    manager.stopping('x');
    assert.deepEqual(warnings, ['the service manager could not be told how this daemon is']);
  });

  it('hears of start, reload and end of a real daemon', async function () {
    if (!DatagramReceiver.available) skipLoudly(this, 'python3 is not there to receive datagrams');
    this.timeout(60_000);
    const receiver = await DatagramReceiver.start(join(directory(), 'notify'));
    const wrap = ['env', `NOTIFY_SOCKET=${receiver.path}`, 'WATCHDOG_USEC=300000'];
    const daemon = await DaemonProcess.start(join(directory(), 'a'), {}, { wrap });
    try {
      assert.match(await receiver.next(), /^READY=1\nSTATUS=ready: pieces on 127\.0\.0\.1:\d+/);
      for (let ping = 0; ping < 3; ping++) assert.equal(await receiver.next(), 'WATCHDOG=1');
      daemon.signal('SIGHUP');
      await receiver.until(/^RELOADING=1\nMONOTONIC_USEC=\d+/);
      await receiver.until(/^READY=1/);
      assert.equal(await daemon.end(), 0);
      await receiver.until(/^STOPPING=1/);
    } finally {
      await daemon.end();
      await receiver.close();
    }
  });
});
