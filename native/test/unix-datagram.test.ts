import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatagramReceiver } from './datagram-receiver.js';
import { sendUnixDatagram } from '../index.js';
import { requireNative } from './support.js';

describe('a unix datagram', () => {
  let directory = '';

  before(function () {
    requireNative(this);
    if (!DatagramReceiver.available) {
      console.warn('skipped: python3 is not there to receive datagrams');
      this.skip();
    }
  });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'native-test-'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('arrives whole, one a call, in order', async () => {
    const receiver = await DatagramReceiver.start(join(directory, 'notify'));
    try {
      sendUnixDatagram(receiver.path, 'READY=1\nSTATUS=größer');
      sendUnixDatagram(receiver.path, 'WATCHDOG=1');
      assert.equal(await receiver.next(), 'READY=1\nSTATUS=größer');
      assert.equal(await receiver.next(), 'WATCHDOG=1');
    } finally {
      await receiver.close();
    }
  });

  it('reaches a socket in the abstract namespace', async () => {
    const receiver = await DatagramReceiver.start(`@dfpeer-test-${process.pid}`);
    try {
      sendUnixDatagram(receiver.path, 'hello');
      assert.equal(await receiver.next(), 'hello');
    } finally {
      await receiver.close();
    }
  });

  it('to nobody is an error that names the path', () => {
    const path = join(directory, 'nobody');
    assert.throws(() => sendUnixDatagram(path, 'x'), {
      code: 'ENOENT',
      syscall: 'connect',
      message: new RegExp(path),
    });
  });

  it('goes to no path that fits no address', () => {
    for (const path of ['', '@', 'relative', `/${'x'.repeat(107)}`, '/a\0b'])
      assert.throws(() => sendUnixDatagram(path, 'x'), RangeError);
  });

  it('leaves no descriptor behind, whatever becomes of it', async () => {
    const receiver = await DatagramReceiver.start(join(directory, 'notify'));
    try {
      const before = readdirSync('/proc/self/fd').length;
      for (let index = 0; index < 20; index++) {
        sendUnixDatagram(receiver.path, 'x');
        // A socket's queue holds ten.
        await receiver.next();
        assert.throws(() => sendUnixDatagram(join(directory, 'nobody'), 'x'));
      }
      assert.equal(readdirSync('/proc/self/fd').length, before);
    } finally {
      await receiver.close();
    }
  });
});
