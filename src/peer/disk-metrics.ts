import { Gauge, type Registry } from 'prom-client';
import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { withDeadline } from '../core/deadline.js';

/** A file system that hangs (NFS) holds up a scrape no longer than this. */
export const DISK_ANSWER_TIMEOUT_MS = 1000;

/** Room on the file system of `directory`, asked when scraped. One that does not tell lacks in the answer, and no other metric with it. */
export function registerDiskMetrics(registry: Registry, directory: string): void {
  let asking: Promise<StatsFs> | undefined;
  const ask = async (): Promise<StatsFs | undefined> => {
    // Never twice at a time: each question takes a thread.
    const answer = (asking ??= statfs(directory).finally(() => (asking = undefined)));
    const bound = { waitingFor: `the file system of ${directory}`, timeoutMs: DISK_ANSWER_TIMEOUT_MS };
    return withDeadline(bound, () => answer).catch(() => undefined);
  };
  const gauge = (name: string, help: string, bytesOf: (stats: StatsFs) => number): Gauge =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const stats = await ask();
        if (stats === undefined) this.remove();
        else this.set(bytesOf(stats));
      },
    });
  gauge(
    'dragonfly_client_disk_space_total',
    'Bytes of the file system that holds the store.',
    ({ blocks, bsize }) => blocks * bsize,
  );
  gauge(
    'dragonfly_client_disk_usage_space_total',
    'Bytes in use on the file system that holds the store.',
    ({ blocks, bfree, bsize }) => (blocks - bfree) * bsize,
  );
}
