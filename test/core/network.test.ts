import assert from 'node:assert/strict';
import fc from 'fast-check';
import { cidrs } from '../../src/config/key-kinds.js';
import { networkList, readNetwork } from '../../src/core/network.js';
import { OriginGuard } from '../../src/peer/fetch/origin/origin-guard.js';

const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('fe80::1%eth0', '::ffff:10.1.2.3', '10.1', 'e.org', ''));
const prefix = fc.oneof(
  fc.constant(''),
  fc.integer({ min: -1, max: 200 }).map((bits) => `/${bits}`),
  fc.constantFrom('/', '/08', '/1e1', '/8/8', '/ 8', '/0x8'),
);
const anyNetwork = fc.oneof(
  fc.string(),
  fc.tuple(address, prefix).map(([host, bits]) => host + bits),
);

describe('a network', () => {
  it('is an address with the length of its prefix, or an address for itself alone', () => {
    assert.deepEqual(readNetwork('10.0.0.0/8'), { address: '10.0.0.0', bits: 8, family: 'ipv4' });
    assert.deepEqual(readNetwork('10.1.2.3'), { address: '10.1.2.3', bits: 32, family: 'ipv4' });
    assert.deepEqual(readNetwork('fd00::/8'), { address: 'fd00::', bits: 8, family: 'ipv6' });
    assert.deepEqual(readNetwork('::1'), { address: '::1', bits: 128, family: 'ipv6' });
  });

  it('is nothing else', () => {
    for (const text of ['', '10.0.0.0/33', '10.0.0.0/', 'e.org/8', '::1/129', '10.0.0.0/-1', '10.1', 'fe80::1%eth0/64'])
      assert.equal(readNetwork(text), undefined, text);
    assert.throws(() => networkList(['10.1']), /not a network: "10\.1"/);
  });

  it('that the configuration accepts makes a guard, and only such a one', () => {
    const { schema } = cidrs({ meaning: '', otherwise: 'none' });
    fc.assert(
      fc.property(anyNetwork, (text) => {
        const accepted = schema.safeParse([text]).success;
        const guard = (): OriginGuard => new OriginGuard({ allowedNetworks: [text] });
        if (accepted) guard();
        else assert.throws(guard, { code: 'DFP_USAGE' });
      }),
    );
  });
});
