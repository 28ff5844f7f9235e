import assert from 'node:assert/strict';
import { Server } from 'node:net';
import { silentLogger } from '../../src/core/logger.js';
import { Daemon } from '../../src/peer/daemon.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { loopbackSettings } from './support/loopback-settings.js';

const ANY_PORT = { ip: '127.0.0.1', port: 0 };

/** Collects the servers that listen while `work` runs. */
async function listeningIn(work: () => Promise<unknown>): Promise<Set<Server>> {
  const servers = new Set<Server>();
  const { listen } = Server.prototype;
  Server.prototype.listen = function (this: Server, ...args: unknown[]) {
    servers.add(this);
    return Reflect.apply(listen, this, args) as Server;
  };
  try {
    await work();
  } finally {
    Server.prototype.listen = listen;
  }
  return servers;
}

describe('a daemon that cannot accept connections for a while', () => {
  const directory = useTemporaryDirectory();

  it('lives, serves the next ones on every port and says why', async () => {
    const errors: string[] = [];
    const logger = { ...silentLogger, error: (_: object, text: string) => void errors.push(text), child: () => logger };
    const settings = await loopbackSettings(directory());
    const statusPage = { ...ANY_PORT, isOptional: false };
    const running: Daemon[] = [];
    const servers = await listeningIn(async () =>
      running.push(await Daemon.start({ ...settings, embeddedScheduler: ANY_PORT, statusPage }, logger)),
    );
    const [daemon] = running;
    assert.ok(daemon !== undefined);
    try {
      // The unix socket, gRPC, the scheduler, HTTP, vortex, metrics, health and the status page.
      assert.equal(servers.size, 8);
      for (const server of servers) server.emit('error', new Error('accept ENOBUFS'));
      assert.deepEqual(errors, Array<string>(8).fill('a listener failed to accept connections'));
      const { http, metrics, health, statusPage: page } = daemon.ports;
      for (const port of [http, metrics, health, page])
        assert.ok((await fetch(`http://127.0.0.1:${port ?? 0}/`)).status > 0);
    } finally {
      await daemon.stop();
    }
  });
});
