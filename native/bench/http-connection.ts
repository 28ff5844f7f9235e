import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { socketFd } from '../socket-fd.js';
import { discard, receiveSome, sendAll, type DiscardingConnection, type Target } from './discarding-connection.js';

const headBuffer = Buffer.alloc(16 * 1024);

/** A keep-alive HTTP connection. */
export class HttpConnection implements DiscardingConnection {
  received = 0;
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

  static async open(target: Target): Promise<HttpConnection> {
    const socket = connect({ host: target.host, port: target.port, noDelay: true });
    await once(socket, 'connect');
    socket.pause();
    return new HttpConnection(socket, target);
  }

  request(): void {
    const { path, rangeBytes, fileBytes } = this.#target;
    const offset = Math.floor((Math.random() * fileBytes) / rangeBytes) * rangeBytes;
    const end = Math.min(offset + rangeBytes, fileBytes) - 1;
    sendAll(this.fd, Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench\r\nRange: bytes=${offset}-${end}\r\n\r\n`));
    this.#headPending = true;
  }

  receive(): void {
    if (this.#headPending && !this.#receiveHead()) return;
    while (this.#left > 0) {
      const count = discard(this.fd, this.#left);
      if (count === 0) return;
      this.#left -= count;
      this.received += count;
    }
    this.requests++;
    this.request();
  }

  #receiveHead(): boolean {
    const bytes = receiveSome(this.fd, headBuffer);
    if (bytes === undefined) return false;
    const end = bytes.indexOf('\r\n\r\n');
    if (end === -1) throw new Error('no complete head in the first segment');
    const head = bytes.toString('latin1', 0, end);
    const length = /content-length: *(\d+)/i.exec(head)?.[1];
    if (!head.startsWith('HTTP/1.1 206') || length === undefined) throw new Error(`unexpected answer: ${head}`);
    const body = bytes.length - end - 4;
    this.#left = Number(length) - body;
    this.received += body;
    this.#headPending = false;
    return true;
  }
}
