import type { Socket } from 'node:net';
import { remoteIp } from './remote-ip.js';

/**
 * So many open connections in total and of one IP, for servers whose newcomers matter more than who sits there: beyond it the one that asked for
 * nothing for longest makes room, of its own IP or of all.
 */
export class NewestConnections {
  readonly #max: number;
  readonly #maxPerIp: number;
  /** Who asked last is last. */
  readonly #open = new Map<Socket, string>();
  readonly #perIp = new Map<string, Set<Socket>>();

  constructor({ max, maxPerIp }: { max: number; maxPerIp: number }) {
    this.#max = max;
    this.#maxPerIp = maxPerIp;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Counts the connection until it closes, or until it makes room for another one. */
  add(socket: Socket): void {
    const ip = remoteIp(socket);
    const ofIp = this.#perIp.get(ip) ?? new Set();
    if (ofIp.size >= this.#maxPerIp) this.#evict(firstOf(ofIp));
    else if (this.#open.size >= this.#max) this.#evict(firstOf(this.#open.keys()));
    this.#open.set(socket, ip);
    this.#perIp.set(ip, (this.#perIp.get(ip) ?? ofIp).add(socket));
    socket.once('close', () => this.#forget(socket));
  }

  /** It asks for something: the others go before it. */
  renew(socket: Socket): void {
    const ip = this.#open.get(socket);
    if (ip === undefined) return;
    this.#open.delete(socket);
    this.#open.set(socket, ip);
    const ofIp = this.#perIp.get(ip);
    if (ofIp?.delete(socket) === true) ofIp.add(socket);
  }

  #evict(socket: Socket | undefined): void {
    if (socket === undefined) return;
    this.#forget(socket);
    socket.destroy();
  }

  #forget(socket: Socket): void {
    const ip = this.#open.get(socket);
    if (ip === undefined) return;
    this.#open.delete(socket);
    const ofIp = this.#perIp.get(ip);
    ofIp?.delete(socket);
    if (ofIp?.size === 0) this.#perIp.delete(ip);
  }
}

function firstOf<Value>(values: Iterable<Value>): Value | undefined {
  for (const value of values) return value;
  return undefined;
}
