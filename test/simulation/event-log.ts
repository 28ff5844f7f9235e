import type { Clock } from '../../src/core/clock.js';
import type { Logger } from '../../src/core/logger.js';

/** More in one run is a loop that never waits: its own failure. */
const MAX_LINES = 50_000;

/** Everything that happened in one run, with the virtual time. */
export class EventLog {
  readonly lines: string[] = [];
  lastAtMs = 0;
  /** When a stall that was told of is told of again: once it has lasted twice as long. */
  nextStallAtMs = 0;
  clock: Pick<Clock, 'monotonicMs'> = { monotonicMs: () => 0 };

  add(line: string): void {
    if (this.lines.length >= MAX_LINES) throw new Error('the run never ends: too many events');
    this.lastAtMs = this.clock.monotonicMs();
    const stillMs = /has not moved for .* waiting for \S.* stillMs=(\d+)/.exec(line)?.[1];
    if (stillMs !== undefined) this.nextStallAtMs = this.lastAtMs + Number(stillMs);
    this.lines.push(`${this.clock.monotonicMs().toFixed(1).padStart(10)} ms  ${line}`);
  }

  logger(fields: object = {}): Logger {
    const write = (level: string) => (own: object, message: string) =>
      this.add(`${level} ${message} ${describe({ ...fields, ...own })}`);
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (more) => this.logger({ ...fields, ...more }),
    };
  }
}

function describe(fields: object): string {
  return Object.entries(fields)
    .filter(([name]) => name !== 'taskId')
    .map(([name, value]) => `${name}=${value instanceof Error ? value.message : String(value)}`)
    .join(' ');
}
