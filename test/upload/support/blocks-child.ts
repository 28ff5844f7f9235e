import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { crc32 } from 'node:zlib';
import { BLOCK_SUM_BYTES } from '../../../src/core/piece-blocks.js';
import type { ByteRange } from '../../../src/core/piece.js';
import { type HttpAnswer, httpRequest, parseHttp } from './clients.js';
import type { FileTask } from './file-piece-source.js';
import type { RunningService } from './service.js';

const END_OF_HEAD = '\r\n\r\n';

/** A child that looks at its answers while they come. */
export class BlocksChild {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(running: RunningService) {
    this.socket = connect({ port: running.httpPort, host: '127.0.0.1', allowHalfOpen: true }).setNoDelay();
    this.socket.on('data', (bytes: Buffer) => {
      this.#chunks.push(bytes);
      this.#length += bytes.length;
    });
    this.socket.on('error', () => undefined).on('end', () => this.socket.end());
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  ask(task: FileTask, range: ByteRange, wish: string, extra = ''): void {
    this.socket.write(httpRequest(task.taskId, range, `Dfpeer-Blocks: ${wish}\r\n${extra}`));
  }

  /** What has come so far, once its body has so many bytes; as much as came where the connection is closed. */
  async body(bytes: number): Promise<HttpAnswer> {
    await this.#come(() => this.#head() !== -1);
    const headLength = this.#head() + END_OF_HEAD.length;
    await this.#come(() => this.#length >= headLength + bytes);
    return parseHttp(this.#all());
  }

  /** The whole answer; what comes after it is another one. */
  async answer(): Promise<HttpAnswer> {
    const { headers } = await this.body(0);
    const answer = await this.body(Number(headers.get('content-length')));
    this.#chunks = [answer.rest];
    this.#length = answer.rest.length;
    return answer;
  }

  async #come(isEnough: () => boolean): Promise<void> {
    while (!isEnough() && !this.socket.destroyed)
      await Promise.race([once(this.socket, 'data').catch(() => undefined), this.closed]);
  }

  #head(): number {
    return this.#chunks.length === 0 ? -1 : this.#all().indexOf(END_OF_HEAD);
  }

  #all(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}

/** As a body carries it. */
export function frame(piece: Buffer, blockLength: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < piece.length; at += blockLength) {
    const sum = Buffer.alloc(BLOCK_SUM_BYTES);
    sum.writeUInt32BE(crc32(piece.subarray(0, at + blockLength)));
    parts.push(sum, piece.subarray(at, at + blockLength));
  }
  return Buffer.concat(parts);
}

/** The blocks in a body, each of them as its sum says, and all in order; what is behind the last whole block is an error. */
export function unframe(body: Buffer, length: number, blockLength: number): Buffer {
  const blocks: Buffer[] = [];
  let sum = 0;
  let left = length;
  for (let at = 0; at < body.length;) {
    const start = at + BLOCK_SUM_BYTES;
    const end = start + Math.min(blockLength, left);
    assert.ok(end <= body.length, `${body.length - at} bytes are no block`);
    const block = body.subarray(start, end);
    sum = crc32(block, sum);
    assert.equal(body.readUInt32BE(at), sum, `the sum of block ${blocks.length}`);
    blocks.push(block);
    left -= block.length;
    at = end;
  }
  return Buffer.concat(blocks);
}
