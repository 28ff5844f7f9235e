import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { computeTaskId, type TaskId } from '../../../src/core/task-id.js';
import type { Config } from '../../support/config.js';
import { DaemonProcess } from '../../support/daemon-process.js';
import { downloadTask } from '../../support/download-task.js';
import { Origin } from '../../support/origin.js';

const MIB = 1024 * 1024;
const CONTENT_BYTES = 5 * MIB;
/** An honest client has an address of its own, so that caps on an attacker's don't touch it. */
const HONEST_ADDRESS = process.platform === 'linux' ? '127.0.0.9' : '127.0.0.1';
const HONEST_TIMEOUT_MS = 15_000;
/** What the memory of a daemon may grow by under attack: buffers of its bounds, and V8's slowness to give back. */
export const MAX_GROWTH_BYTES = 96 * MIB;

/** A real daemon that has one task, and the promise that an attack leaves it as it was. */
export class AttackedDaemon {
  readonly daemon: DaemonProcess;
  readonly origin: Origin;
  readonly taskId: TaskId;
  #restingBytes = 0;

  private constructor(daemon: DaemonProcess, origin: Origin, taskId: TaskId) {
    this.daemon = daemon;
    this.origin = origin;
    this.taskId = taskId;
  }

  static async start(directory: string, config: Config = {}): Promise<AttackedDaemon> {
    const origin = await Origin.start(CONTENT_BYTES);
    const daemon = await DaemonProcess.start(join(directory, 'attacked'), config);
    const { status } = await downloadTask(`unix:${daemon.socketPath}`, { url: origin.url() });
    assert.equal(status.code, 0, status.details);
    const url = { url: origin.url(), tag: undefined, application: undefined, filteredQueryParams: [] };
    const attacked = new AttackedDaemon(daemon, origin, computeTaskId(url));
    await attacked.#serveHonestly();
    await attacked.rest();
    return attacked;
  }

  get ports(): DaemonProcess['ports'] {
    return this.daemon.ports;
  }

  get path(): string {
    return `/download/${this.taskId.slice(0, 3)}/${this.taskId}?peerId=attack`;
  }

  /** What it is now is what an attack must leave. */
  async rest(): Promise<void> {
    this.#restingBytes = await this.residentBytes();
  }

  async residentBytes(): Promise<number> {
    if (process.platform !== 'linux') return 0;
    const status = await readFile(`/proc/${this.daemon.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** The same process, in health, serving the right bytes, and not much larger than before. */
  async assertUnharmed(maxGrowthBytes = MAX_GROWTH_BYTES): Promise<void> {
    await this.#serveHonestly();
    await this.assertAlive(maxGrowthBytes);
  }

  /** The same, but for what it serves: an attacker who may delete the task has done so. */
  async assertAlive(maxGrowthBytes = MAX_GROWTH_BYTES): Promise<void> {
    const healthy = await fetch(`http://127.0.0.1:${this.ports.health}/healthy`);
    assert.equal(healthy.status, 200);
    const grownBytes = (await this.residentBytes()) - this.#restingBytes;
    assert.ok(grownBytes < maxGrowthBytes, `${Math.round(grownBytes / MIB)} MiB more than before the attack`);
    const failures = this.daemon.output.filter((line) => /uncaught|unhandled|FATAL/i.test(line));
    assert.deepEqual(failures, []);
  }

  async end(): Promise<void> {
    assert.equal(await this.daemon.end(), 0);
    await this.origin.close();
  }

  async #serveHonestly(): Promise<void> {
    const body = await getHonestly(this.ports.http, this.path);
    assert.ok(body.equals(this.origin.content), 'an honest client gets the content');
  }
}

function getHonestly(port: number, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, localAddress: HONEST_ADDRESS, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`status ${response.statusCode ?? 0} for an honest client`));
      });
    });
    asked.setTimeout(HONEST_TIMEOUT_MS, () => asked.destroy(new Error('an honest client waits in vain')));
    asked.on('error', reject).end();
  });
}
