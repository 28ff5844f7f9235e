import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { remoteIp } from './remote-ip.js';

/** Counts what is open, connections or calls, in total and per IP. */
export class ConnectionCaps {
  readonly #max: number;
  readonly #maxPerIp: number;
  readonly #perIp = new Map<string, number>();
  #open = 0;

  constructor({ max, maxPerIp }: { max: number; maxPerIp: number }) {
    this.#max = max;
    this.#maxPerIp = maxPerIp;
  }

  get open(): number {
    return this.#open;
  }

  /** Counts the connection until it closes; false when it is one too many, and then the caller destroys it. */
  accept(socket: Socket): boolean {
    return this.acceptFrom(remoteIp(socket), socket);
  }

  /** The same for something else that says when it closes. */
  acceptFrom(ip: string, opened: Pick<EventEmitter, 'once'>): boolean {
    const ofIp = this.#perIp.get(ip) ?? 0;
    if (this.#open >= this.#max || ofIp >= this.#maxPerIp) return false;
    this.#open++;
    this.#perIp.set(ip, ofIp + 1);
    opened.once('close', () => this.#leave(ip));
    return true;
  }

  #leave(ip: string): void {
    this.#open--;
    const others = (this.#perIp.get(ip) ?? 1) - 1;
    if (others === 0) this.#perIp.delete(ip);
    else this.#perIp.set(ip, others);
  }
}
