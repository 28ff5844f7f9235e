import koffi from 'koffi';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { socketFd } from '../socket-fd.js';

/**
 * An HTTP client that throws bodies away inside the kernel (recv with MSG_TRUNC), so that the server is what a benchmark measures.
 * Runs as a process of its own: node discarding-client.js HOST PORT PATH RANGE_BYTES FILE_BYTES CONNECTIONS TOTAL_BYTES
 * and prints {"bytes":…,"requests":…,"seconds":…}.
 */
const [host = '127.0.0.1', port = '0', path = '/', ...numbers] = process.argv.slice(2);
const [rangeBytes = 0, fileBytes = 0, connections = 1, totalBytes = 0] = numbers.map(Number);

const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const POLLIN = 1;
const POLL_TIMEOUT_MS = 20_000;
const HEAD_BYTES = 16 * 1024;
const MAX_DISCARD = 8 * 1024 * 1024;

const libc = koffi.load(null);
const recv = libc.func('recv', 'int64_t', ['int', 'void *', 'size_t', 'int']) as (
  fd: number,
  bytes: Uint8Array,
  count: number,
  flags: number,
) => number;
const send = libc.func('send', 'int64_t', ['int', 'void *', 'size_t', 'int']) as (
  fd: number,
  bytes: Uint8Array,
  count: number,
  flags: number,
) => number;
const poll = libc.func('poll', 'int', ['void *', 'ulong', 'int']) as (
  fds: Uint8Array,
  count: number,
  timeoutMs: number,
) => number;

const buffer = Buffer.alloc(HEAD_BYTES);
const discarded = Buffer.alloc(MAX_DISCARD);

class Connection {
  readonly fd: number;
  #left = 0;
  #headPending = false;

  constructor(readonly socket: Socket) {
    const fd = socketFd(socket);
    if (fd === undefined) throw new Error('the socket has no descriptor');
    this.fd = fd;
  }

  request(): void {
    const offset = Math.floor((Math.random() * fileBytes) / rangeBytes) * rangeBytes;
    const end = Math.min(offset + rangeBytes, fileBytes) - 1;
    const head = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench\r\nRange: bytes=${offset}-${end}\r\n\r\n`);
    if (send(this.fd, head, head.length, 0) !== head.length) throw new Error('a request could not be sent');
    this.#headPending = true;
  }

  /** Reads what is there; true when the answer is complete. */
  receive(): boolean {
    if (this.#headPending && !this.#receiveHead()) return false;
    while (this.#left > 0) {
      const count = recv(this.fd, discarded, Math.min(this.#left, MAX_DISCARD), MSG_DONTWAIT | MSG_TRUNC);
      if (count === -1 && koffi.errno() === EAGAIN) return false;
      if (count <= 0) throw new Error(`the server closed with ${this.#left} bytes to come`);
      this.#left -= count;
      received += count;
    }
    return true;
  }

  #receiveHead(): boolean {
    const count = recv(this.fd, buffer, HEAD_BYTES, MSG_DONTWAIT);
    if (count === -1 && koffi.errno() === EAGAIN) return false;
    const end = count > 0 ? buffer.subarray(0, count).indexOf('\r\n\r\n') : -1;
    if (end === -1) throw new Error('no complete head in the first segment');
    const head = buffer.toString('latin1', 0, end);
    const length = /content-length: *(\d+)/i.exec(head)?.[1];
    if (!head.startsWith('HTTP/1.1 206') || length === undefined) throw new Error(`unexpected answer: ${head}`);
    const body = count - end - 4;
    this.#left = Number(length) - body;
    received += body;
    this.#headPending = false;
    return true;
  }
}

let received = 0;
let requests = 0;

const open: Connection[] = [];
for (let index = 0; index < connections; index++) {
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  socket.pause();
  open.push(new Connection(socket));
}
const startedMs = performance.now();
const polled = Buffer.alloc(connections * 8);
open.forEach((connection, index) => {
  polled.writeInt32LE(connection.fd, index * 8);
  polled.writeInt16LE(POLLIN, index * 8 + 4);
  connection.request();
});
while (received < totalBytes) {
  if (poll(polled, connections, POLL_TIMEOUT_MS) <= 0) throw new Error('the server stalled');
  open.forEach((connection, index) => {
    if (polled.readInt16LE(index * 8 + 6) === 0 || !connection.receive()) return;
    requests++;
    connection.request();
  });
}
process.stdout.write(JSON.stringify({ bytes: received, requests, seconds: (performance.now() - startedMs) / 1000 }));
process.exit(0);
