import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseRangeHeader } from '../../src/core/byte-range.js';
import { sleep } from '../../src/core/deadline.js';
import type { ByteRange } from '../../src/core/piece.js';
import type { Random } from '../simulation/random.js';
import { drained } from '../support/drained.js';
import type { SoakFile } from './soak-file.js';

const FAULTS = ['status', 'reset', 'slow', 'cut', 'wrong-length', 'ignored-range'] as const;
export type OriginFault = (typeof FAULTS)[number];

const CHUNK_BYTES = 256 * 1024;
const SLOW_CHUNK_BYTES = 16 * 1024;
const SLOW_PAUSE_MS = 50;
/** A slow answer gets up to speed after so many pauses. */
const SLOW_PAUSES = 40;

/** A real HTTP server that sometimes fails in one of the ways that origins do, and counts what it gives. */
export class FlakyOrigin {
  /** Share of requests that meet a fault. */
  faultRate = 0;
  /** Body bytes handed to sockets. */
  bytes = 0;
  requests = 0;
  readonly faults = new Map<OriginFault, number>();
  readonly #files: ReadonlyMap<string, SoakFile>;
  readonly #random: Random;
  readonly #server: Server;

  private constructor(files: readonly SoakFile[], random: Random) {
    this.#files = new Map(files.map((file) => [`/${file.name}`, file]));
    this.#random = random;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(files: readonly SoakFile[], random: Random): Promise<FlakyOrigin> {
    const origin = new FlakyOrigin(files, random);
    origin.#server.listen(0, '127.0.0.1');
    await once(origin.#server, 'listening');
    return origin;
  }

  url(file: SoakFile): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${file.name}`;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    const file = this.#files.get(request.url ?? '');
    if (file === undefined) return void response.writeHead(404).end();
    const fault = this.#drawFault();
    if (fault === 'status') return void response.writeHead(this.#random.pick([500, 502, 503])).end('overloaded');
    const parsed =
      fault === 'ignored-range' ? ({ kind: 'none' } as const) : parseRangeHeader(request.headers.range, file.size);
    if (parsed.kind === 'unsatisfiable')
      return void response.writeHead(416, { 'content-range': `bytes */${file.size}` }).end();
    const range = parsed.kind === 'range' ? parsed.range : { offset: 0, length: file.size };
    const declared = Math.max(0, range.length - (fault === 'wrong-length' ? 1 : 0));
    const end = range.offset + range.length - 1;
    response.writeHead(parsed.kind === 'range' ? 206 : 200, {
      'accept-ranges': 'bytes',
      etag: `"${file.name}"`,
      'content-length': declared,
      ...(parsed.kind === 'range' ? { 'content-range': `bytes ${range.offset}-${end}/${file.size}` } : {}),
    });
    if (request.method === 'HEAD') return void response.end();
    await this.#send(response, file, { offset: range.offset, length: declared }, fault);
  }

  #drawFault(): OriginFault | undefined {
    if (!this.#random.chance(this.faultRate)) return undefined;
    const fault = this.#random.pick(FAULTS);
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
    return fault;
  }

  async #send(
    response: ServerResponse,
    file: SoakFile,
    range: ByteRange,
    fault: OriginFault | undefined,
  ): Promise<void> {
    const breaksAt = fault === 'reset' || fault === 'cut' ? this.#random.between(0, range.length) : range.length;
    let pauses = fault === 'slow' ? SLOW_PAUSES : 0;
    for (let done = 0; done < breaksAt && !response.destroyed;) {
      const length = Math.min(pauses > 0 ? SLOW_CHUNK_BYTES : CHUNK_BYTES, breaksAt - done);
      this.bytes += length;
      if (!response.write(file.bytes({ offset: range.offset + done, length }))) await drained(response);
      done += length;
      if (pauses-- > 0) await sleep(SLOW_PAUSE_MS);
    }
    if (fault === 'reset') response.socket?.resetAndDestroy();
    else if (fault === 'cut') response.destroy();
    else response.end();
  }
}
