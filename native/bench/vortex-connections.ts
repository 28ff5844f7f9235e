import koffi from 'koffi';
import { discard, receiveSome, sendAll, type DiscardingConnection, type Target } from './discarding-connection.js';

const AF_INET = 2;
const SOCK_STREAM = 1;
const HEADER_LENGTH = 6;
const REQUEST_VALUE_LENGTH = 68;
const TAG_DOWNLOAD_PIECE = 0;
const TAG_PIECE_CONTENT = 1;
/** Of a content packet: header, length of the metadata, number, offset; then the piece's length. */
const LENGTH_AT = HEADER_LENGTH + 4 + 4 + 8;

const libc = koffi.load(null);
const socket = libc.func('socket', 'int', ['int', 'int', 'int']) as (
  domain: number,
  type: number,
  protocol: number,
) => number;
const connect = libc.func('connect', 'int', ['int', 'void *', 'uint']) as (
  fd: number,
  address: Buffer,
  length: number,
) => number;
const close = libc.func('close', 'int', ['int']) as (fd: number) => number;

const headBuffer = Buffer.alloc(16 * 1024);

/** One vortex connection after the other: the protocol has one for each piece (docs/WIRE.md 4). */
export class VortexConnections implements DiscardingConnection {
  fd = -1;
  received = 0;
  requests = 0;
  readonly #address: Buffer;
  readonly #request: Buffer;
  readonly #pieces: number;
  #left = 0;
  #headPending = false;

  constructor({ host, port, path, rangeBytes, fileBytes }: Target) {
    this.#address = Buffer.alloc(16);
    this.#address.writeUInt16LE(AF_INET);
    this.#address.writeUInt16BE(port, 2);
    this.#address.set(host.split('.').map(Number), 4);
    this.#request = Buffer.alloc(HEADER_LENGTH + REQUEST_VALUE_LENGTH);
    this.#request[1] = TAG_DOWNLOAD_PIECE;
    this.#request.writeUInt32BE(REQUEST_VALUE_LENGTH, 2);
    this.#request.write(/[0-9a-f]{64}/.exec(path)?.[0] ?? '', HEADER_LENGTH, 'latin1');
    this.#pieces = Math.ceil(fileBytes / rangeBytes);
  }

  request(): void {
    this.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(this.fd, this.#address, this.#address.length) !== 0) throw new Error('the server takes no connection');
    this.#request.writeUInt32BE(Math.floor(Math.random() * this.#pieces), this.#request.length - 4);
    sendAll(this.fd, this.#request);
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
    close(this.fd);
    this.requests++;
    this.request();
  }

  #receiveHead(): boolean {
    const bytes = receiveSome(this.fd, headBuffer);
    if (bytes === undefined) return false;
    if (bytes[1] !== TAG_PIECE_CONTENT || bytes.length < LENGTH_AT + 8)
      throw new Error(`unexpected answer: ${bytes.subarray(0, 200).toString('latin1')}`);
    const body = bytes.length - HEADER_LENGTH - bytes.readUInt32BE(2);
    this.#left = Number(bytes.readBigUInt64BE(LENGTH_AT)) - body;
    this.received += body;
    this.#headPending = false;
    return true;
  }
}
