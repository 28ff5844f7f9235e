import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { crc32 } from 'node:zlib';
import { BLOCK_SUM_BYTES } from '../../../src/core/piece-blocks.js';
import type { ByteRange } from '../../../src/core/piece.js';
import { type HttpAnswer, httpRequest, parseHttp } from './clients.js';
import type { FileTask } from './file-piece-source.js';
import type { RunningService } from './service.js';

/** A child that looks at its answers while they come. */
export class BlocksChild {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(running: RunningService) {
    this.socket = connect(running.httpPort, '127.0.0.1').setNoDelay();
    this.socket.on('data', (bytes) => (this.#bytes = Buffer.concat([this.#bytes, bytes])));
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  ask(task: FileTask, range: ByteRange, wish: string, extra = ''): void {
    this.socket.write(httpRequest(task.taskId, range, `Dfpeer-Blocks: ${wish}\r\n${extra}`));
  }

  /** What has come so far, once its body has so many bytes; as much as came where the connection is closed. */
  async body(bytes: number): Promise<HttpAnswer> {
    const isEnough = (): boolean => this.#bytes.includes('\r\n\r\n') && parseHttp(this.#bytes).body.length >= bytes;
    while (!isEnough() && !this.socket.destroyed)
      await Promise.race([once(this.socket, 'data').catch(() => undefined), this.closed]);
    return parseHttp(this.#bytes);
  }

  /** The whole answer; what comes after it is another one. */
  async answer(): Promise<HttpAnswer> {
    const { headers } = await this.body(0);
    const answer = await this.body(Number(headers.get('content-length')));
    this.#bytes = answer.rest;
    return answer;
  }
}

/** The blocks in a body, each of them as its sum says, and all in order; what is behind the last whole block is an error. */
export function unframe(body: Buffer, length: number, blockLength: number): Buffer {
  let bytes: Buffer = Buffer.alloc(0);
  for (let at = 0; at < body.length;) {
    const end = at + BLOCK_SUM_BYTES + Math.min(blockLength, length - bytes.length);
    assert.ok(end <= body.length, `${body.length - at} bytes are no block`);
    bytes = Buffer.concat([bytes, body.subarray(at + BLOCK_SUM_BYTES, end)]);
    assert.equal(body.readUInt32BE(at), crc32(bytes), `the sum of the block that ends at ${bytes.length}`);
    at = end;
  }
  return bytes;
}
