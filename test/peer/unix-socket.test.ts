import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { prepareSocketPath } from '../../src/peer/unix-socket.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const LISTENING = `require('node:net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => process.stdout.write('up'));`;

describe('making room for a socket', () => {
  const directory = useTemporaryDirectory();
  const path = (): string => join(directory(), 'sock');
  let daemon: ChildProcess | undefined;
  const sockets: Socket[] = [];

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    if (daemon?.signalCode === null) {
      const ended = once(daemon, 'exit');
      daemon.kill('SIGKILL');
      await ended;
    }
    daemon = undefined;
  });

  async function listenElsewhere(): Promise<ChildProcess> {
    const process_ = spawn(process.execPath, ['-e', LISTENING, path()], { stdio: ['ignore', 'pipe', 'inherit'] });
    daemon = process_;
    await once(process_.stdout, 'data');
    return process_;
  }

  /** Undefined: it is connected. */
  async function connectionError(): Promise<string | undefined> {
    const socket = connect(path());
    sockets.push(socket);
    return new Promise((resolve) => {
      socket.once('connect', () => resolve(undefined));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
  }

  it('takes away what a daemon that was killed has left', async () => {
    const killed = await listenElsewhere();
    const ended = once(killed, 'exit');
    killed.kill('SIGKILL');
    await ended;
    await lstat(path());
    await prepareSocketPath(path());
    await assert.rejects(lstat(path()), { code: 'ENOENT' });
  });

  it('leaves its socket to a daemon that lives, also to one that hangs until nobody more can connect', async () => {
    const living = await listenElsewhere();
    const isTaken = { code: 'DFP_LISTEN', message: /another dfdaemon listens on/ };
    await assert.rejects(prepareSocketPath(path()), isTaken);
    living.kill('SIGSTOP');
    let code: string | undefined;
    while (code === undefined) code = await connectionError();
    assert.equal(code, 'EAGAIN');
    await assert.rejects(prepareSocketPath(path()), isTaken);
    assert.ok((await lstat(path())).isSocket());
  });

  it('touches nothing that is no socket', async () => {
    await writeFile(path(), 'precious');
    await assert.rejects(prepareSocketPath(path()), { code: 'DFP_LISTEN', message: /is no socket; remove it/ });
    await lstat(path());
  });
});
