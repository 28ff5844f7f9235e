import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type RouteInputs, chooseRoute, effectiveLimit } from '../../src/upload/route.js';
import { socketKind } from '../../src/upload/transfer/socket.js';

const GBIT = 125_000_000;

const plain: RouteInputs = {
  limitBytesPerSecond: undefined,
  interfaceBytesPerSecond: undefined,
  engine: { available: true },
  socket: 'tcp',
  fallback: undefined,
  limitedRoute: 'copy',
};

const table: [what: string, inputs: Partial<RouteInputs>, route: string, reason: string][] = [
  ['nothing in the way', {}, 'sendfile', 'unthrottled'],
  ['a unix socket', { socket: 'unix' }, 'sendfile', 'unthrottled'],
  ['a limit', { limitBytesPerSecond: 1024 }, 'copy', 'limited'],
  ['a limit, paced', { limitBytesPerSecond: 1024, limitedRoute: 'paced' }, 'paced', 'limited'],
  [
    'a limit above the interface',
    { limitBytesPerSecond: 50e9, interfaceBytesPerSecond: GBIT },
    'sendfile',
    'unthrottled',
  ],
  ['a limit at the interface', { limitBytesPerSecond: GBIT, interfaceBytesPerSecond: GBIT }, 'sendfile', 'unthrottled'],
  ['a limit below the interface', { limitBytesPerSecond: GBIT - 1, interfaceBytesPerSecond: GBIT }, 'copy', 'limited'],
  ['a limit, the interface unknown', { limitBytesPerSecond: 50e9 }, 'copy', 'limited'],
  ['another system', { engine: { available: false, reason: 'not-linux' } }, 'copy', 'not-linux'],
  ['no koffi', { engine: { available: false, reason: 'koffi-missing' } }, 'copy', 'koffi-missing'],
  ['TLS', { socket: 'tls' }, 'copy', 'tls'],
  ['a stream that is no socket', { socket: 'other' }, 'copy', 'unsupported-socket'],
  ['a file the kernel refuses', { fallback: 'unsupported-file' }, 'copy', 'unsupported-file'],
  ['an engine that failed', { fallback: 'engine-failed' }, 'copy', 'engine-failed'],
  ['a limit, paced, over TLS', { limitBytesPerSecond: 1, limitedRoute: 'paced', socket: 'tls' }, 'copy', 'tls'],
  [
    'a limit, paced, without koffi',
    { limitBytesPerSecond: 1, limitedRoute: 'paced', engine: { available: false, reason: 'koffi-missing' } },
    'copy',
    'koffi-missing',
  ],
  [
    'a limit and no koffi',
    { limitBytesPerSecond: 1, engine: { available: false, reason: 'koffi-missing' } },
    'copy',
    'limited',
  ],
];

describe('the choice of a route', () => {
  for (const [what, inputs, route, reason] of table)
    it(`with ${what} is ${route} (${reason})`, () => {
      const choice = chooseRoute({ ...plain, ...inputs });
      assert.deepEqual([choice.route, choice.reason], [route, reason]);
    });

  it('says that leases are needed whenever a limit binds, whatever the route', () => {
    const limited = { ...plain, limitBytesPerSecond: 1, limitedRoute: 'paced' as const };
    assert.equal(chooseRoute(plain).limited, false);
    assert.equal(chooseRoute(limited).limited, true);
    assert.equal(chooseRoute({ ...limited, socket: 'tls' }).limited, true);
    assert.equal(chooseRoute({ ...limited, interfaceBytesPerSecond: 1 }).limited, false);
  });

  it('knows a TLS socket from a plain one', () => {
    assert.equal(socketKind(new TLSSocket(new Socket())), 'tls');
  });

  it('takes a limit as none only when the interface is known to be no faster', () => {
    assert.equal(effectiveLimit(undefined, GBIT), undefined);
    assert.equal(effectiveLimit(100, undefined), 100);
    assert.equal(effectiveLimit(GBIT, GBIT), undefined);
  });
});
