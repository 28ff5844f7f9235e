import koffi from 'koffi';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { socketFd } from '../socket-fd.js';

const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const POLLIN = 1;
const HEAD_BYTES = 16 * 1024;
const MAX_DISCARD = 8 * 1024 * 1024;

type Transfer = (fd: number, bytes: Uint8Array, count: number, flags: number) => number;

const libc = koffi.load(null);
const recv = libc.func('recv', 'int64_t', ['int', 'void *', 'size_t', 'int']) as Transfer;
const send = libc.func('send', 'int64_t', ['int', 'void *', 'size_t', 'int']) as Transfer;
const poll = libc.func('poll', 'int', ['void *', 'ulong', 'int']) as (
  fds: Uint8Array,
  count: number,
  timeoutMs: number,
) => number;

const headBuffer = Buffer.alloc(HEAD_BYTES);
const discarded = Buffer.alloc(MAX_DISCARD);

/** What is asked for: random ranges of one file. */
export interface Target {
  host: string;
  port: number;
  path: string;
  rangeBytes: number;
  fileBytes: number;
}

/** A keep-alive HTTP connection that throws bodies away inside the kernel (recv with MSG_TRUNC). */
export class DiscardingConnection {
  /** Body bytes so far. */
  received = 0;
  /** Complete answers so far. */
  requests = 0;
  readonly fd: number;
  readonly #target: Target;
  #left = 0;
  #headPending = false;

  private constructor(socket: Socket, target: Target) {
    const fd = socketFd(socket);
    if (fd === undefined) throw new Error('the socket has no descriptor');
    this.fd = fd;
    this.#target = target;
  }

  static async open(target: Target): Promise<DiscardingConnection> {
    const socket = connect({ host: target.host, port: target.port, noDelay: true });
    await once(socket, 'connect');
    socket.pause();
    return new DiscardingConnection(socket, target);
  }

  request(): void {
    const { path, rangeBytes, fileBytes } = this.#target;
    const offset = Math.floor((Math.random() * fileBytes) / rangeBytes) * rangeBytes;
    const end = Math.min(offset + rangeBytes, fileBytes) - 1;
    const head = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench\r\nRange: bytes=${offset}-${end}\r\n\r\n`);
    if (send(this.fd, head, head.length, 0) !== head.length) throw new Error('a request could not be sent');
    this.#headPending = true;
  }

  /** Reads what is there, and asks for the next range once an answer is complete. */
  receive(): void {
    if (this.#headPending && !this.#receiveHead()) return;
    while (this.#left > 0) {
      const count = recv(this.fd, discarded, Math.min(this.#left, MAX_DISCARD), MSG_DONTWAIT | MSG_TRUNC);
      if (count === -1 && koffi.errno() === EAGAIN) return;
      if (count <= 0) throw new Error(`the server closed with ${this.#left} bytes to come`);
      this.#left -= count;
      this.received += count;
    }
    this.requests++;
    this.request();
  }

  #receiveHead(): boolean {
    const count = recv(this.fd, headBuffer, HEAD_BYTES, MSG_DONTWAIT);
    if (count === -1 && koffi.errno() === EAGAIN) return false;
    const end = count > 0 ? headBuffer.subarray(0, count).indexOf('\r\n\r\n') : -1;
    if (end === -1) throw new Error('no complete head in the first segment');
    const head = headBuffer.toString('latin1', 0, end);
    const length = /content-length: *(\d+)/i.exec(head)?.[1];
    if (!head.startsWith('HTTP/1.1 206') || length === undefined) throw new Error(`unexpected answer: ${head}`);
    const body = count - end - 4;
    this.#left = Number(length) - body;
    this.received += body;
    this.#headPending = false;
    return true;
  }
}

/** poll(2) over a fixed set of connections. */
export class ConnectionPoll {
  readonly #connections: readonly DiscardingConnection[];
  readonly #polled: Buffer;

  constructor(connections: readonly DiscardingConnection[]) {
    this.#connections = connections;
    this.#polled = Buffer.alloc(connections.length * 8);
    for (const [index, { fd }] of connections.entries()) {
      this.#polled.writeInt32LE(fd, index * 8);
      this.#polled.writeInt16LE(POLLIN, index * 8 + 4);
    }
  }

  /** Waits, then lets every readable connection receive. False when nothing came in time. */
  receive(timeoutMs: number): boolean {
    if (poll(this.#polled, this.#connections.length, timeoutMs) <= 0) return false;
    for (const [index, connection] of this.#connections.entries())
      if (this.#polled.readInt16LE(index * 8 + 6) !== 0) connection.receive();
    return true;
  }
}
