import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { closeServer, listen } from '../../src/core/listen.js';
import { silentLogger } from '../../src/core/logger.js';
import { ManualClock } from '../support/manual-clock.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('listening', () => {
  const directory = useTemporaryDirectory();
  let first: Server;
  let second: Server;
  const quiet = { logger: silentLogger };

  beforeEach(() => ([first, second] = [createServer(), createServer()]));
  afterEach(() => Promise.all([closeServer(first), closeServer(second)]));

  const refusal = (message: RegExp): object => ({ code: 'DFP_LISTEN', message });

  it('tells which port it got', async () => {
    const port = await listen(first, { ip: '127.0.0.1', port: 0 }, quiet);
    assert.ok(port > 0);
    await assert.rejects(
      listen(second, { ip: '127.0.0.1', port }, { ...quiet, wayOut: 'set some.port' }),
      refusal(new RegExp(`127.0.0.1:${port} \\(EADDRINUSE\\); another process has the port: .*, or set some.port$`)),
    );
    assert.equal(second.listenerCount('error'), 0);
  });

  it('writes an IPv6 address in brackets where it fails', () =>
    assert.rejects(
      listen(first, { ip: '2001:db8::1', port: 4001 }, quiet),
      refusal(/^can't listen on \[2001:db8::1\]:4001 \(E/),
    ));

  it('tells of an address that is not of this machine', () =>
    assert.rejects(
      listen(first, { ip: '203.0.113.1', port: 0 }, quiet),
      refusal(/EADDRNOTAVAIL.*belongs to this machine/),
    ));

  it('works and fails on a socket too', async () => {
    const socketPath = join(directory(), 'socket');
    assert.equal(await listen(first, { socketPath }, quiet), 0);
    await assert.rejects(
      listen(second, { socketPath }, quiet),
      refusal(/socket \(EADDRINUSE\); another process has the socket/),
    );
    await assert.rejects(listen(second, { socketPath: join(directory(), 'no', 's') }, quiet), refusal(/its directory/));
  });

  it('goes on after connections that could not be accepted, and says so once a minute', async () => {
    const errors: object[] = [];
    const logger = { ...silentLogger, error: (fields: object) => void errors.push(fields) };
    const clock = new ManualClock();
    const port = await listen(first, { ip: '127.0.0.1', port: 0 }, { logger, clock });
    const noMemory = Object.assign(new Error('accept ENOBUFS'), { code: 'ENOBUFS' });
    first.emit('error', noMemory);
    first.emit('error', noMemory);
    assert.deepEqual(errors, [{ err: noMemory, address: '127.0.0.1:0' }]);
    clock.advance(60_000);
    first.emit('error', noMemory);
    assert.equal(errors.length, 2);
    const accepted = once(first, 'connection');
    const client = connect(port, '127.0.0.1');
    await accepted;
    client.destroy();
  });
});
