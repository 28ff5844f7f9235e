import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Host } from '../../test/interop/support/network.js';
import { Program } from '../../test/interop/support/program.js';
import { PROGRAMS_VARIABLE, programPath } from '../../test/interop/support/programs.js';

const PORT = 8002;

/** Whether Dragonfly's programs are at hand. */
export function hasDragonfly(): boolean {
  return (process.env[PROGRAMS_VARIABLE] ?? '') !== '';
}

/** Dragonfly's own scheduler, without a manager. */
export async function startDragonflyScheduler(
  host: Host,
  parentDirectory: string,
): Promise<{ address: string; stop(): Promise<unknown> }> {
  const directory = join(parentDirectory, 'scheduler');
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'scheduler.yaml');
  const server = {
    advertiseIP: host.ip,
    listenIP: '0.0.0.0',
    port: PORT,
    logDir: join(directory, 'log'),
    pluginDir: join(directory, 'plugins'),
  };
  writeFileSync(file, stringify({ server, console: true }));
  const program = new Program({
    name: 'scheduler',
    host,
    command: [programPath('scheduler'), '--config', file, '--dynconfig', join(directory, 'dynconfig.yaml')],
    logFile: join(directory, 'output.log'),
    ports: [PORT],
  });
  await program.start();
  return { address: `${host.ip}:${PORT}`, stop: () => program.end() };
}
