import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LiarOrders } from './lying-peer.js';

/** The lying peer in a process of its own. */
export class LyingProgram {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when it has announced its copies. */
  static async start(orders: LiarOrders): Promise<LyingProgram> {
    const program = fileURLToPath(new URL('./lying-peer.js', import.meta.url));
    const child = spawn(process.execPath, [program, JSON.stringify(orders)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit').then(() => Promise.reject(new Error('the lying peer did not start')));
    await Promise.race([once(child.stdout, 'data'), ended]);
    ended.catch(() => undefined);
    return new LyingProgram(child);
  }

  /** Liars don't say goodbye. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
