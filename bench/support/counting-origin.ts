import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ShapedHost } from './shaped-network.js';

const READ_STREAM = join(import.meta.dirname, '..', 'servers', 'read-stream.js');

export interface CountingOrigin {
  url: string;
  /** Idempotent; resolves with the body bytes it has sent. */
  stop(): Promise<number>;
}

/** Serves `file` on a host of its own. */
export async function startCountingOrigin({ ip, inside }: ShapedHost, file: string): Promise<CountingOrigin> {
  const [program, ...args] = [...inside, process.execPath, READ_STREAM, file, ip];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<number> => Number((await lines.next()).value);
  const port = await next();
  let sent: Promise<number> | undefined;
  const stop = async (): Promise<number> => {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const bytes = await next();
    await exited;
    return bytes;
  };
  return { url: `http://${ip}:${port}/file.bin`, stop: () => (sent ??= stop()) };
}
