import assert from 'node:assert/strict';
import fc from 'fast-check';
import { addressKey, HashRing, taskKey } from '../../src/scheduler-client/hash-ring.js';
import { siphash24 } from '../../src/scheduler-client/siphash.js';

const SCHEDULERS = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((ip) => ({ ip, port: 8002 }));

describe('SipHash-2-4', () => {
  it('gives the value of its paper for the bytes 0 to 14', () => {
    const key = Buffer.from(Array.from({ length: 16 }, (_, index) => index));
    const input = Buffer.from(Array.from({ length: 15 }, (_, index) => index));
    assert.equal(siphash24(input, key.readBigUInt64LE(0), key.readBigUInt64LE(8)), 0xa129ca6149be45e5n);
  });

  it('gives what Rust computes for hash ring inputs', () => {
    assert.equal(siphash24(Buffer.from('00000000000000000ad50001421f', 'hex')), 4410375851275793003n);
    assert.equal(siphash24(Buffer.from('3966383664ff', 'hex')), 10726964014634169723n);
  });
});

describe('the hash ring', () => {
  it('places IPv4 and IPv6 schedulers where Dragonfly does', () => {
    assert.equal(addressKey({ ip: '10.213.0.1', port: 8002 }), 4410375851275793003n);
    assert.equal(addressKey({ ip: 'fd00::1', port: 8002 }), 2151880730393261331n);
    assert.deepEqual(SCHEDULERS.map(addressKey), [11045254673571024366n, 4348847603351778578n, 4589980318568480855n]);
  });

  it('places an IPv6 address the same in every spelling', () => {
    const spellings = ['fd00:0:0:0:0:0:a00:1', 'fd00::a00:1', 'fd00::10.0.0.1', 'FD00::0A00:0001'];
    const keys = new Set(spellings.map((ip) => addressKey({ ip, port: 8002 })));
    assert.equal(keys.size, 1);
  });

  for (const [prefix, key, ip] of [
    ['00000', 3613695785626336352n, '10.0.0.2'],
    ['9f86d', 10726964014634169723n, '10.0.0.1'],
    ['abcde', 17639949557903276638n, '10.0.0.2'],
    ['12345', 5664810760413143143n, '10.0.0.1'],
    ['fffff', 18316843313664557708n, '10.0.0.2'],
  ] as const)
    it(`sends tasks that begin with ${prefix} to the scheduler that Dragonfly's client picks`, () => {
      assert.equal(taskKey(prefix), key);
      assert.equal(new HashRing(SCHEDULERS).pick(`${prefix}0123456789`)?.ip, ip);
    });

  it('has nobody to pick when it is empty', () => {
    assert.equal(new HashRing([]).pick('9f86d'), undefined);
  });

  const addresses = fc.uniqueArray(fc.record({ ip: fc.ipV4(), port: fc.integer({ min: 1, max: 65535 }) }), {
    minLength: 1,
    maxLength: 12,
    selector: ({ ip, port }) => `${ip}:${port}`,
  });
  const taskIds = fc.stringMatching(/^[0-9a-f]{64}$/);

  it('picks the same scheduler whatever the order of the list, looking at five characters only', () => {
    fc.assert(
      fc.property(addresses, taskIds, (nodes, taskId) => {
        const picked = new HashRing(nodes).pick(taskId);
        assert.deepEqual(new HashRing([...nodes].reverse()).pick(`${taskId.slice(0, 5)}another`), picked);
        assert.ok(nodes.some((node) => node === picked));
      }),
    );
  });

  it('moves only the tasks of a scheduler that leaves', () => {
    fc.assert(
      fc.property(addresses, taskIds, (nodes, taskId) => {
        const before = new HashRing(nodes).pick(taskId);
        const [leaver, ...rest] = nodes;
        if (before !== leaver) assert.equal(new HashRing(rest).pick(taskId), before);
      }),
    );
  });
});
