import assert from 'node:assert/strict';
import { isSameIp, peerIp } from '../../src/grpc/peer-ip.js';

describe('a caller’s address', () => {
  const peers: [string, string][] = [
    ['10.0.0.1:41836', '10.0.0.1'],
    ['::1:41836', '::1'],
    ['[fd00::1]:41836', 'fd00::1'],
    ['::ffff:10.0.0.1:41836', '10.0.0.1'],
    ['unknown', 'unknown'],
  ];
  for (const [peer, ip] of peers) it(`is ${JSON.stringify(ip)} in ${peer}`, () => assert.equal(peerIp(peer), ip));

  it('is the same in each way of writing it', () => {
    assert.ok(isSameIp('fd00:0::0A', 'fd00::a'));
    assert.ok(isSameIp('10.0.0.1', '10.0.0.1'));
    assert.ok(!isSameIp('10.0.0.1', '10.0.0.11'));
    assert.ok(!isSameIp('::1', '127.0.0.1'));
    for (const none of ['a:b', '10.0.0.1:4000', '[::1]', '']) assert.ok(!isSameIp(none, '10.0.0.1'), none);
  });
});
