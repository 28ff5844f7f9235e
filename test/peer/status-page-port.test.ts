import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { silentLogger } from '../../src/core/logger.js';
import { Daemon } from '../../src/peer/daemon.js';
import type { DaemonSettings } from '../../src/peer/daemon-settings.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { loopbackSettings } from './support/loopback-settings.js';

describe("the status page's port when somebody else has it", () => {
  const directory = useTemporaryDirectory();
  let stranger: Server;
  let port: number;

  beforeEach(async () => {
    stranger = createServer().listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    ({ port } = stranger.address() as AddressInfo);
  });

  afterEach(() => void stranger.close());

  async function settings(isOptional: boolean): Promise<DaemonSettings> {
    return { ...(await loopbackSettings(directory())), statusPage: { ip: '127.0.0.1', port, isOptional } };
  }

  it('has a daemon that was not told which one to take do without, with a warning', async () => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, text: string) => void warnings.push(text) };
    const daemon = await Daemon.start(await settings(true), { ...logger, child: () => logger });
    assert.equal(daemon.ports.statusPage, undefined);
    await daemon.stop();
    assert.ok(warnings.some((text) => text.includes(`port ${port} is taken; choose another one with statusPage.port`)));
  });

  it('keeps a daemon that was told so from starting', async () => {
    await assert.rejects(Daemon.start(await settings(false), silentLogger), { code: 'DFP_LISTEN' });
  });
});
