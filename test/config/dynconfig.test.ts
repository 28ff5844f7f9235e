import assert from 'node:assert/strict';
import { parseDynconfig } from '../../src/config/dynconfig.js';
import { errorOf } from './support.js';

const messageOf = (text: string): string => errorOf(() => parseDynconfig(text, 'dynconfig.yaml')).message;

describe('dynconfig.yaml', () => {
  it('names schedulers by address, or one by name', () => {
    assert.deepEqual(parseDynconfig('scheduler:\n  addrs: ["10.0.0.1:8002", "[fd00::1]:8003"]', 'f').schedulers, [
      { host: '10.0.0.1', port: 8002 },
      { host: 'fd00::1', port: 8003 },
    ]);
    assert.deepEqual(parseDynconfig('scheduler: {addr: "s.example.org:8002", addrs: }\nother: 1', 'f').schedulers, [
      { host: 's.example.org', port: 8002 },
    ]);
  });

  it('is refused by line and column for a name among the addresses', () => {
    assert.equal(
      messageOf('scheduler:\n  addrs:\n    - 10.0.0.1:8002\n    - s.example.org:8002\n'),
      'dynconfig.yaml:4:7: scheduler.addrs.1: expected a list of ip:port (IP addresses only; a name goes into scheduler.addr), found "s.example.org:8002"',
    );
  });

  it('is refused without a scheduler, and for an address without port', () => {
    assert.match(messageOf('scheduler: {}'), /^dynconfig\.yaml:1:12: scheduler: expected at least one scheduler/);
    assert.match(messageOf(''), /expected at least one scheduler/);
    assert.match(messageOf('scheduler: {addr: s}'), /1:19: scheduler\.addr: expected host:port/);
    assert.match(messageOf('scheduler: [1]'), /1:12: scheduler: expected a mapping of keys, found a list of 1/);
  });
});
