import assert from 'node:assert/strict';
import { nativeSupport } from '../index.js';
import { loadLibc } from '../load-libc.js';
import { EpollEvents } from '../linux-abi.js';
import { requireNative } from './support.js';

const missing = (): never => {
  throw new Error("Cannot find module 'koffi'\nRequire stack:\n- somewhere");
};

describe('native support', () => {
  it('says in one line why it is missing, and never throws', () => {
    assert.deepEqual(nativeSupport({ platform: 'linux', arch: 'x64', loadKoffi: missing }), {
      available: false,
      reason: "koffi could not be loaded: Cannot find module 'koffi'",
    });
    const elsewhere = nativeSupport({ platform: 'darwin', arch: 'arm64', loadKoffi: missing });
    assert.deepEqual(elsewhere, { available: false, reason: 'only Linux is supported, this is darwin' });
    const strange = nativeSupport({ platform: 'linux', arch: 's390x', loadKoffi: missing });
    assert.deepEqual(strange, { available: false, reason: 'only x64 and arm64 are supported, this is s390x' });
  });

  it('returns what failed as a negative errno', function () {
    requireNative(this);
    const load = loadLibc();
    assert.ok(load.available);
    assert.equal(load.libc.close(-1), -9);
    assert.equal(load.libc.sendfile(-1, -1, 0, 1), -9);
    assert.equal(load.libc.fadvise(-1, 0, 1, 0), -9);
  });

  it('lays out epoll_event packed on x64 only', () => {
    for (const [arch, size, dataAt] of [
      ['x64', 12, 4],
      ['arm64', 16, 8],
    ] as const) {
      const events = new EpollEvents(2, arch);
      events.set(1, 0x80000004, 0xffffffff);
      assert.equal(events.bytes.byteLength, 2 * size);
      assert.deepEqual([events.events(1), events.data(1)], [0x80000004, 0xffffffff]);
      assert.equal(events.bytes[size + dataAt], 0xff);
    }
  });
});
