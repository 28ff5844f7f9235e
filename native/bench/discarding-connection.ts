import koffi from 'koffi';

const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const POLLIN = 1;
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

const discarded = Buffer.alloc(MAX_DISCARD);

/** What is asked for: random ranges of one file, or random pieces of one task. */
export interface Target {
  host: string;
  port: number;
  path: string;
  rangeBytes: number;
  fileBytes: number;
}

/** Asks for one range after the other, and throws bodies away inside the kernel (recv with MSG_TRUNC). */
export interface DiscardingConnection {
  readonly fd: number;
  /** Body bytes so far. */
  readonly received: number;
  /** Complete answers so far. */
  readonly requests: number;
  request(): void;
  /** Reads what is there, and asks for the next range once an answer is complete. */
  receive(): void;
}

export function sendAll(fd: number, bytes: Buffer): void {
  if (send(fd, bytes, bytes.length, 0) !== bytes.length) throw new Error('a request could not be sent');
}

/** What has come so far, up to the buffer's length; undefined while there is nothing. @throws when the server closed */
export function receiveSome(fd: number, buffer: Buffer): Buffer | undefined {
  const count = recv(fd, buffer, buffer.length, MSG_DONTWAIT);
  if (count === -1 && koffi.errno() === EAGAIN) return undefined;
  if (count <= 0) throw new Error('the server closed before its answer');
  return buffer.subarray(0, count);
}

/** Bytes thrown away of at most so many; 0 while there are none. @throws when the server closed */
export function discard(fd: number, length: number): number {
  const count = recv(fd, discarded, Math.min(length, MAX_DISCARD), MSG_DONTWAIT | MSG_TRUNC);
  if (count === -1 && koffi.errno() === EAGAIN) return 0;
  if (count <= 0) throw new Error(`the server closed with ${length} bytes to come`);
  return count;
}

/** poll(2) over a fixed set of connections. */
export class ConnectionPoll {
  readonly #connections: readonly DiscardingConnection[];
  readonly #polled: Buffer;

  constructor(connections: readonly DiscardingConnection[]) {
    this.#connections = connections;
    this.#polled = Buffer.alloc(connections.length * 8);
    for (const index of connections.keys()) this.#polled.writeInt16LE(POLLIN, index * 8 + 4);
  }

  /** Waits, then lets every readable connection receive. False when nothing came in time. */
  receive(timeoutMs: number): boolean {
    for (const [index, { fd }] of this.#connections.entries()) this.#polled.writeInt32LE(fd, index * 8);
    if (poll(this.#polled, this.#connections.length, timeoutMs) <= 0) return false;
    for (const [index, connection] of this.#connections.entries())
      if (this.#polled.readInt16LE(index * 8 + 6) !== 0) connection.receive();
    return true;
  }
}
