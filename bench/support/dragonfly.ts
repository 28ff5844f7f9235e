import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Peer } from '../../test/interop/support/peer.js';
import { hasDragonfly, startDragonflyScheduler } from './dragonfly-scheduler.js';
import type { MeasuredServer } from './servers.js';

const HOST = { ip: '127.0.0.1', inside: [] };
const VORTEX_PORT = 4005;

/**
 * Dragonfly's Rust daemon, with Dragonfly's scheduler, holding what `url` names; undefined unless DFPEER_INTEROP_BIN names
 * their folder. Both listen on their default ports, so this runs once in a namespace of its own.
 */
export async function startRust(
  name: string,
  directory: string,
  url: string,
  taskPath: string,
): Promise<MeasuredServer | undefined> {
  if (!hasDragonfly()) return undefined;
  const scheduler = await startDragonflyScheduler(HOST, directory);
  const dynconfig = join(directory, 'dynconfig.yaml');
  await writeFile(dynconfig, stringify({ scheduler: { addrs: [scheduler.address] } }));
  const peer = new Peer({
    name: 'rust',
    maker: 'dragonfly',
    host: HOST,
    directory: join(directory, 'rust'),
    dynconfig,
  });
  await peer.start();
  const output = join(directory, 'copy');
  const { code, stderr } = await peer.dfget('dragonfly', '--output', output, '--no-progress', url);
  if (code !== 0) throw new Error(stderr);
  const stop = async (): Promise<void> => {
    await Promise.all([peer.program.end(), scheduler.stop()]);
  };
  return { name, pid: peer.program.pid, protocol: 'vortex', port: VORTEX_PORT, path: taskPath, file: output, stop };
}
