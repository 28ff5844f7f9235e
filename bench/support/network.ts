import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const MARK = 'DFPEER_BENCH_NAMESPACE';

/**
 * Runs this program again in a network namespace of its own with cubic congestion control, where root allows that; otherwise goes on
 * here. BBR's timers cost more on loopback than the bytes. Returns what is in force.
 */
export function enterBenchNetwork(): string {
  if (process.env[MARK] === undefined && process.getuid?.() === 0 && process.platform === 'linux') {
    const script =
      'ip link set lo up && sysctl -qw net.ipv4.tcp_congestion_control=cubic net.ipv4.tcp_no_metrics_save=1 && exec "$@"';
    const args = ['-n', 'sh', '-c', script, 'sh', process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const result = spawnSync('unshare', args, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
    if (result.error === undefined) process.exit(result.status ?? 1);
  }
  return process.platform === 'linux'
    ? readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim()
    : 'unknown';
}

/** Whether a program is on the PATH. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
