import { STATUS_CODES } from 'node:http';
import type { Clock } from '../../core/clock.js';
import type { ToldRoute } from '../../core/told-route.js';
import type { ServedTask } from '../piece-source.js';
import { contentFields } from './answer.js';
import type { ContentPlan } from './plan.js';

/** Heads of answers with content. */
export class ContentHead {
  readonly #clock: Clock;
  readonly #keepAlive: string;
  #second = -1;
  #date = '';

  constructor(keepAliveTimeoutMs: number, clock: Clock) {
    this.#clock = clock;
    this.#keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveTimeoutMs / 1000)}\r\n\r\n`;
  }

  render(plan: ContentPlan, task: ServedTask, etag: string | undefined, route: ToldRoute, close: boolean): Buffer {
    const fields = contentFields(plan, task, etag, route);
    let head = `HTTP/1.1 ${plan.status} ${STATUS_CODES[plan.status] ?? ''}\r\n`;
    for (let index = 0; index + 1 < fields.length; index += 2) head += `${fields[index]}: ${fields[index + 1]}\r\n`;
    const connection = close ? 'Connection: close\r\n\r\n' : this.#keepAlive;
    return Buffer.from(`${head}Date: ${this.#httpDate()}\r\n${connection}`, 'latin1');
  }

  /** RFC 9110, 5.6.7. Made once a second. */
  #httpDate(): string {
    const nowMs = this.#clock.now();
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = new Date(nowMs).toUTCString();
    }
    return this.#date;
  }
}
