import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ClientReport } from '../../native/bench/discarding-client.js';
import { cpuSeconds } from './cpu.js';
import type { MeasuredServer } from './servers.js';

const CLIENT = join(import.meta.dirname, '..', '..', 'native', 'bench', 'discarding-client.js');

export interface ClientOptions {
  rangeBytes: number;
  fileBytes: number;
  connections: number;
  totalBytes?: number;
  seconds?: number;
  settleSeconds?: number;
}

/** Runs the discarding client against a server; with the server's CPU seconds meanwhile. */
export async function runClient(
  server: MeasuredServer,
  { rangeBytes, fileBytes, connections, totalBytes, seconds, settleSeconds }: ClientOptions,
): Promise<ClientReport & { cpuSecondsPerGib: number }> {
  const given = { protocol: server.protocol, port: server.port, path: server.path, connections, seconds };
  const named = { 'range-bytes': rangeBytes, 'file-bytes': fileBytes, 'total-bytes': totalBytes };
  const options = Object.entries({ ...given, ...named, 'settle-seconds': settleSeconds });
  const args = options.filter(([, value]) => value !== undefined).map(([name, value]) => `--${name}=${value}`);
  const before = cpuSeconds(server.pid);
  const { stdout } = await promisify(execFile)(process.execPath, [CLIENT, ...args], { maxBuffer: 16 * 1024 * 1024 });
  const cpu = cpuSeconds(server.pid) - before;
  const report = JSON.parse(stdout) as ClientReport;
  // What came while rates settled cost as much a byte as the rest.
  const share = report.seconds / (report.seconds + (settleSeconds ?? 0));
  return { ...report, cpuSecondsPerGib: (cpu * share) / (report.bytes / 1024 ** 3) };
}
