import type { Socket } from 'node:net';
import { remoteIp } from './transfer/socket.js';

/** Open connections of all piece servers together. */
export const DEFAULT_MAX_CONNECTIONS = 8192;
export const DEFAULT_MAX_CONNECTIONS_PER_IP = 1024;

/** Counts open connections in total and per IP. */
export class ConnectionCaps {
  readonly #max: number;
  readonly #maxPerIp: number;
  readonly #perIp = new Map<string, number>();
  #open = 0;

  constructor(options: { max?: number; maxPerIp?: number } = {}) {
    this.#max = options.max ?? DEFAULT_MAX_CONNECTIONS;
    this.#maxPerIp = options.maxPerIp ?? DEFAULT_MAX_CONNECTIONS_PER_IP;
  }

  get open(): number {
    return this.#open;
  }

  /** Counts the connection until it closes; false when it is one too many, and then the caller destroys it. */
  accept(socket: Socket): boolean {
    const ip = remoteIp(socket);
    const ofIp = this.#perIp.get(ip) ?? 0;
    if (this.#open >= this.#max || ofIp >= this.#maxPerIp) return false;
    this.#open++;
    this.#perIp.set(ip, ofIp + 1);
    socket.once('close', () => this.#leave(ip));
    return true;
  }

  #leave(ip: string): void {
    this.#open--;
    const others = (this.#perIp.get(ip) ?? 1) - 1;
    if (others === 0) this.#perIp.delete(ip);
    else this.#perIp.set(ip, others);
  }
}
