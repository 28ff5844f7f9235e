import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { NewestConnections } from '../../src/core/newest-connections.js';

class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;

  constructor(ip: string) {
    super();
    this.remoteAddress = ip;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

const fake = (ip: string): FakeSocket & Socket => new FakeSocket(ip) as never;

describe('connections of which the newest stay', () => {
  it('make room by the one of the same IP that asked for nothing for longest', () => {
    const connections = new NewestConnections({ max: 10, maxPerIp: 2 });
    const [other, first, second, third] = [fake('b'), fake('a'), fake('a'), fake('a')];
    for (const socket of [other, first, second]) connections.add(socket);
    connections.renew(first);
    connections.add(third);
    assert.deepEqual(
      [other, first, second, third].map(({ destroyed }) => destroyed),
      [false, false, true, false],
    );
  });

  it('make room by the one of all that asked for nothing for longest, when there are too many', () => {
    const connections = new NewestConnections({ max: 2, maxPerIp: 2 });
    const [first, second, third] = [fake('a'), fake('b'), fake('c')];
    for (const socket of [first, second, third]) connections.add(socket);
    assert.deepEqual(
      [first, second, third].map(({ destroyed }) => destroyed),
      [true, false, false],
    );
  });

  it('count one that had to go no more, though its close comes later', () => {
    const connections = new NewestConnections({ max: 1, maxPerIp: 1 });
    const first = fake('a');
    connections.add(first);
    first.emit = () => false;
    connections.add(fake('a'));
    assert.equal(connections.size, 1);
  });

  it('are never more than the two bounds say, and the newest is always among them', () => {
    const step = fc.record({
      ip: fc.constantFrom('a', 'b', 'c', 'd'),
      act: fc.constantFrom('open', 'open', 'renew', 'close'),
      pick: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const connections = new NewestConnections({ max: 5, maxPerIp: 3 });
        const all: (FakeSocket & Socket)[] = [];
        for (const { ip, act, pick } of steps) {
          const chosen = all[pick % Math.max(all.length, 1)];
          if (act === 'close') chosen?.destroy();
          else if (act === 'renew' && chosen !== undefined) connections.renew(chosen);
          else {
            const socket = fake(ip);
            all.push(socket);
            connections.add(socket);
            assert.ok(!socket.destroyed);
          }
          const open = all.filter(({ destroyed }) => !destroyed);
          assert.equal(connections.size, open.length);
          assert.ok(open.length <= 5 && open.filter(({ remoteAddress }) => remoteAddress === ip).length <= 3);
        }
      }),
    );
  });
});
