import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const MARK = 'DFPEER_BENCH_NAMESPACE';

/** A namespace may only choose what the host allows in general; reno always is, and differs from cubic only where packets get lost. */
const ENTER_NAMESPACE = `ip link set lo up
sysctl -qw net.ipv4.tcp_no_metrics_save=1
sysctl -qw net.ipv4.tcp_congestion_control=cubic 2>/dev/null || sysctl -qw net.ipv4.tcp_congestion_control=reno
exec "$@"`;

/**
 * Runs this program again in a network namespace of its own with cubic (or reno) congestion control, where root allows that;
 * otherwise goes on here. BBR's timers cost more on loopback than the bytes. Returns what is in force.
 */
export function enterBenchNetwork(): string {
  if (process.env[MARK] === undefined && process.getuid?.() === 0 && process.platform === 'linux') {
    const args = [
      '-n',
      'sh',
      '-c',
      ENTER_NAMESPACE,
      'sh',
      process.execPath,
      ...process.execArgv,
      ...process.argv.slice(1),
    ];
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
