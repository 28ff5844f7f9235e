import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { credentials, type ServiceError, status } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import type { GetDaemonResponse__Output } from '../../src/generated/dfpeer/v1/GetDaemonResponse.js';
import { DfpeerAdmin } from '../../src/grpc/protos.js';
import { Daemon } from '../../src/peer/daemon.js';
import { SCHEDULER_PATIENCE_MS } from '../../src/peer/start-scheduling.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { loopbackSettings } from './support/loopback-settings.js';

interface Answer {
  error: ServiceError | null;
  told: GetDaemonResponse__Output | undefined;
}

/** Over a connection of its own: one that failed waits before it tries again. */
async function ask(socketPath: string): Promise<Answer> {
  const client = new DfpeerAdmin(`unix:${socketPath}`, credentials.createInsecure());
  try {
    return await new Promise((resolve) => client.getDaemon({}, (error, told) => resolve({ error, told })));
  } finally {
    client.close();
  }
}

describe('a daemon that is starting', () => {
  const directory = useTemporaryDirectory();
  const held: Socket[] = [];
  let silent: Server;

  beforeEach(async () => {
    silent = createServer((socket) => held.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(silent, 'listening');
  });

  afterEach(() => {
    for (const socket of held.splice(0)) socket.destroy();
    silent.close();
  });

  it('tells its operators of itself while it waits for a scheduler', async () => {
    let endPatience: () => void = () => undefined;
    const clock: Clock = {
      ...systemClock,
      after(delayMs, callback, options) {
        if (delayMs !== SCHEDULER_PATIENCE_MS) return systemClock.after(delayMs, callback, options);
        endPatience = callback;
        return () => undefined;
      },
    };
    const { port } = silent.address() as AddressInfo;
    const schedulers = { kind: 'static', addrs: [`127.0.0.1:${port}`] } as const;
    const settings = { ...(await loopbackSettings(directory())), schedulers };
    const starting = Daemon.start(settings, silentLogger, clock);
    await until('the scheduler to be asked', () => held.length > 0);
    const { error, told } = await ask(settings.socketPath);
    endPatience();
    const daemon = await starting;
    await daemon.stop();
    assert.equal(error?.code ?? status.OK, status.OK, error?.details);
    assert.equal(told?.ports.metrics, daemon.ports.metrics);
  });
});
