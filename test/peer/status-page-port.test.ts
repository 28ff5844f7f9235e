import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { toSettings } from '../../src/cli/to-settings.js';
import { findPlaces } from '../../src/config/places.js';
import { resolveDaemonConfig } from '../../src/config/resolve.js';
import { silentLogger } from '../../src/core/logger.js';
import { Daemon } from '../../src/peer/daemon.js';
import type { DaemonSettings } from '../../src/peer/daemon-settings.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

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
    const places = findPlaces({ env: { DFPEER_HOME: directory() }, uid: 1, home: '/' });
    const flags = { schedulers: [], isLoopbackOnly: true, logLevel: 'info', logMaxFiles: 1, console: true } as const;
    const config = await resolveDaemonConfig({ ...flags, logMaxFileSizeBytes: 1e6 }, { places });
    const any = { ip: '127.0.0.1', port: 0 };
    const resolved = toSettings(config, '0');
    return {
      ...resolved,
      ...{ grpc: { ...resolved.grpc, ...any }, http: any, vortex: any, metrics: any, health: any },
      ...{ embeddedScheduler: undefined, fallBackToFreePorts: false },
      statusPage: { ip: '127.0.0.1', port, isOptional },
    };
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
