import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Peer } from '../../test/interop/support/peer.js';
import { Program } from '../../test/interop/support/program.js';
import { PROGRAMS_VARIABLE, programPath } from '../../test/interop/support/programs.js';
import type { MeasuredServer } from './servers.js';

const HOST = { ip: '127.0.0.1', inside: [] };
const SCHEDULER_PORT = 8002;
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
  if ((process.env[PROGRAMS_VARIABLE] ?? '') === '') return undefined;
  await mkdir(directory, { recursive: true });
  const scheduler = await startScheduler(directory);
  const dynconfig = join(directory, 'dynconfig.yaml');
  await writeFile(dynconfig, stringify({ scheduler: { addrs: [`${HOST.ip}:${SCHEDULER_PORT}`] } }));
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
    await Promise.all([peer.program.end(), scheduler.end()]);
  };
  return { name, pid: peer.program.pid, protocol: 'vortex', port: VORTEX_PORT, path: taskPath, file: output, stop };
}

async function startScheduler(directory: string): Promise<Program> {
  const file = join(directory, 'scheduler.yaml');
  const [logDir, pluginDir] = [join(directory, 'log'), join(directory, 'plugins')];
  const server = { advertiseIP: HOST.ip, listenIP: HOST.ip, port: SCHEDULER_PORT, logDir, pluginDir };
  await writeFile(file, stringify({ server, console: true }));
  const scheduler = new Program({
    name: 'scheduler',
    host: HOST,
    command: [programPath('scheduler'), '--config', file, '--dynconfig', join(directory, 'scheduler-dynconfig.yaml')],
    logFile: join(directory, 'scheduler.log'),
    ports: [SCHEDULER_PORT],
  });
  await scheduler.start();
  return scheduler;
}
