import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { ConnectionCaps } from '../../src/core/connection-caps.js';

describe('caps of connections', () => {
  it('let in as many as they say of one IP and of all, and others once one has closed', () => {
    const caps = new ConnectionCaps({ max: 3, maxPerIp: 2 });
    const opened = new EventEmitter();
    assert.ok(caps.acceptFrom('a', opened));
    assert.ok(caps.acceptFrom('a', new EventEmitter()));
    assert.equal(caps.acceptFrom('a', new EventEmitter()), false);
    assert.ok(caps.acceptFrom('b', new EventEmitter()));
    assert.equal(caps.acceptFrom('c', new EventEmitter()), false);
    assert.equal(caps.open, 3);
    opened.emit('close');
    assert.equal(caps.open, 2);
    assert.ok(caps.acceptFrom('a', new EventEmitter()));
    assert.equal(caps.acceptFrom('b', new EventEmitter()), false);
  });
});
