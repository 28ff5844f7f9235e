import { spawnSync } from 'node:child_process';

/** Whether a program can be run here. */
export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status === 0;
}

/** Skips a test, and says so where nobody can overlook it. */
export function skipLoudly(context: Mocha.Context, why: string): never {
  console.warn(`SKIPPED: ${context.test?.fullTitle() ?? 'a test'}: ${why}`);
  return context.skip();
}

/** Root that may make network namespaces. */
export function canMakeNamespaces(): boolean {
  return (
    process.getuid?.() === 0 &&
    hasProgram('ip') &&
    spawnSync('unshare', ['-n', 'true'], { stdio: 'ignore' }).status === 0
  );
}

/** Whether strace is there and may trace: containers often forbid it. */
export function canTrace(): boolean {
  return spawnSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'ignore' }).status === 0;
}
