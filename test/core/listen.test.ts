import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { closeServer, listen } from '../../src/core/listen.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('listening', () => {
  const directory = useTemporaryDirectory();
  let first: Server;
  let second: Server;

  beforeEach(() => ([first, second] = [createServer(), createServer()]));
  afterEach(() => Promise.all([closeServer(first), closeServer(second)]));

  const refusal = (message: RegExp): object => ({ code: 'DFP_LISTEN', message });

  it('tells which port it got', async () => {
    const port = await listen(first, { ip: '127.0.0.1', port: 0 });
    assert.ok(port > 0);
    await assert.rejects(
      listen(second, { ip: '127.0.0.1', port }, 'set some.port'),
      refusal(new RegExp(`127.0.0.1:${port} \\(EADDRINUSE\\); another process has the port: .*, or set some.port$`)),
    );
    assert.equal(second.listenerCount('error'), 0);
  });

  it('writes an IPv6 address in brackets where it fails', () =>
    assert.rejects(
      listen(first, { ip: '2001:db8::1', port: 4001 }),
      refusal(/^can't listen on \[2001:db8::1\]:4001 \(E/),
    ));

  it('tells of an address that is not of this machine', () =>
    assert.rejects(listen(first, { ip: '203.0.113.1', port: 0 }), refusal(/EADDRNOTAVAIL.*belongs to this machine/)));

  it('works and fails on a socket too', async () => {
    const socketPath = join(directory(), 'socket');
    assert.equal(await listen(first, { socketPath }), 0);
    await assert.rejects(
      listen(second, { socketPath }),
      refusal(/socket \(EADDRINUSE\); another process has the socket/),
    );
    await assert.rejects(listen(second, { socketPath: join(directory(), 'no', 's') }), refusal(/its directory/));
  });
});
