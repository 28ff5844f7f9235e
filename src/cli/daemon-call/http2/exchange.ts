import type { Socket } from 'node:net';
import {
  bareContent,
  DEFAULT_WINDOW_BYTES,
  encodeFrame,
  encodeSettings,
  encodeWindowUpdate,
  FLAG,
  type Frame,
  FRAME_TYPE,
  FrameSplitter,
  MAX_FRAME_BYTES,
  readSettings,
  SETTING,
} from './frames.js';
import { decodeHeaders, encodeHeaders, type HeaderFields } from './hpack.js';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** More than this is not taken from the other side before it was handled. */
const WINDOW_BYTES = 1024 * 1024;
/** Of one header block. */
export const MAX_HEADER_BYTES = 256 * 1024;
const STREAM_ID = 1;

export interface Http2Request {
  /** Pseudo-headers first. */
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  onHeaders: (headers: HeaderFields) => void;
  /** Awaited: meanwhile the other side is held back. */
  onData: (data: Buffer) => Promise<void> | void;
}

/**
 * One request on a connection of its own (RFC 9113), which is closed after it. `node:http2` takes longer to load than a small file to
 * download. Resolves with the trailers, or the headers where the answer is nothing but those.
 * @throws Error when the connection breaks, or the other side breaks the protocol
 */
export async function exchange(connection: Socket, request: Http2Request): Promise<HeaderFields> {
  const run = new Exchange(connection, request);
  const splitter = new FrameSplitter();
  run.begin();
  for await (const chunk of connection)
    for (const frame of splitter.push(chunk as Buffer)) {
      await run.take(frame);
      if (run.end !== undefined) return run.end;
    }
  throw new Error('it was closed before the answer was complete');
}

class Exchange {
  readonly #connection: Socket;
  readonly #request: Http2Request;
  /** What may still be sent. */
  readonly #windows = { connection: DEFAULT_WINDOW_BYTES, stream: DEFAULT_WINDOW_BYTES };
  /** What the stream's window is for a stream that begins now. */
  #initialWindow = DEFAULT_WINDOW_BYTES;
  #unsent: Buffer;
  /** Handled, and not yet given back to the other side's windows. */
  #handledBytes = 0;
  /** Of a header block that is not complete. */
  #headerFragments: Buffer[] | undefined;
  #headersEndStream = false;
  #last: HeaderFields = {};
  #end: HeaderFields | undefined;

  constructor(connection: Socket, request: Http2Request) {
    this.#connection = connection;
    this.#request = request;
    this.#unsent = request.body;
  }

  /** The last header block, once everything is there. */
  get end(): HeaderFields | undefined {
    return this.#end;
  }

  begin(): void {
    const settings = [
      [SETTING.headerTableSize, 0],
      [SETTING.enablePush, 0],
      [SETTING.initialWindowSize, WINDOW_BYTES],
    ] as const;
    this.#connection.write(
      Buffer.concat([
        PREFACE,
        encodeSettings(settings),
        encodeWindowUpdate(0, WINDOW_BYTES - DEFAULT_WINDOW_BYTES),
        ...encodeHeaderFrames(encodeHeaders(this.#request.headers), this.#unsent.length === 0),
      ]),
    );
    this.#sendBody();
  }

  async take(frame: Frame): Promise<void> {
    if (this.#headerFragments !== undefined && frame.type !== FRAME_TYPE.continuation)
      throw new Error('it put a frame into a header block');
    switch (frame.type) {
      case FRAME_TYPE.data:
        return this.#takeData(frame);
      case FRAME_TYPE.headers:
        this.#headersEndStream = (frame.flags & FLAG.endStream) !== 0;
        return this.#takeHeaders(frame, bareContent(frame));
      case FRAME_TYPE.continuation:
        return this.#takeHeaders(frame, frame.payload);
      case FRAME_TYPE.settings:
        return this.#takeSettings(frame);
      case FRAME_TYPE.windowUpdate:
        return this.#widen(frame);
      case FRAME_TYPE.ping:
        if ((frame.flags & FLAG.ack) === 0) this.#send({ ...frame, flags: FLAG.ack });
        return;
      case FRAME_TYPE.goAway:
        return this.#takeGoAway(frame);
      case FRAME_TYPE.rstStream:
        throw new Error(`it reset the stream, code ${frame.payload.readUInt32BE()}`);
      case FRAME_TYPE.pushPromise:
        throw new Error('it pushes, though that was forbidden');
      default:
      // Types that nobody knows are to be ignored (RFC 9113, 4.1).
    }
  }

  async #takeData(frame: Frame): Promise<void> {
    const data = bareContent(frame);
    if (data.length > 0) await this.#request.onData(data);
    if ((frame.flags & FLAG.endStream) !== 0) this.#end = this.#last;
    this.#handledBytes += frame.payload.length;
    if (this.#handledBytes < WINDOW_BYTES / 2) return;
    for (const streamId of [0, STREAM_ID]) this.#connection.write(encodeWindowUpdate(streamId, this.#handledBytes));
    this.#handledBytes = 0;
  }

  #takeHeaders({ flags }: Frame, fragment: Buffer): void {
    const fragments = [...(this.#headerFragments ?? []), fragment];
    if (fragments.reduce((sum, { length }) => sum + length, 0) > MAX_HEADER_BYTES)
      throw new Error(`its headers are longer than ${MAX_HEADER_BYTES} bytes`);
    const isComplete = (flags & FLAG.endHeaders) !== 0;
    this.#headerFragments = isComplete ? undefined : fragments;
    if (!isComplete) return;
    this.#last = decodeHeaders(Buffer.concat(fragments));
    this.#request.onHeaders(this.#last);
    if (this.#headersEndStream) this.#end = this.#last;
  }

  #takeSettings({ flags, payload }: Frame): void {
    if ((flags & FLAG.ack) !== 0) return;
    for (const [name, value] of readSettings(payload))
      if (name === SETTING.initialWindowSize) {
        this.#windows.stream += value - this.#initialWindow;
        this.#initialWindow = value;
      }
    this.#send({ type: FRAME_TYPE.settings, flags: FLAG.ack, streamId: 0, payload: Buffer.alloc(0) });
    this.#sendBody();
  }

  #widen({ streamId, payload }: Frame): void {
    this.#windows[streamId === 0 ? 'connection' : 'stream'] += payload.readUInt32BE();
    this.#sendBody();
  }

  /** A daemon that ends in peace finishes what runs. */
  #takeGoAway({ payload }: Frame): void {
    const [lastStreamId, code] = [payload.readUInt32BE(), payload.readUInt32BE(4)];
    if (code !== 0 || lastStreamId < STREAM_ID) throw new Error(`it went away, code ${code}`);
  }

  #sendBody(): void {
    const { connection, stream } = this.#windows;
    for (let room = Math.min(connection, stream); this.#unsent.length > 0 && room > 0;) {
      const payload = this.#unsent.subarray(0, Math.min(room, MAX_FRAME_BYTES));
      this.#unsent = this.#unsent.subarray(payload.length);
      room -= payload.length;
      this.#windows.connection -= payload.length;
      this.#windows.stream -= payload.length;
      const flags = this.#unsent.length === 0 ? FLAG.endStream : 0;
      this.#send({ type: FRAME_TYPE.data, flags, streamId: STREAM_ID, payload });
    }
  }

  #send(frame: Frame): void {
    this.#connection.write(encodeFrame(frame));
  }
}

function encodeHeaderFrames(block: Buffer, endsStream: boolean): Buffer[] {
  const frames: Buffer[] = [];
  for (let offset = 0; offset < block.length; offset += MAX_FRAME_BYTES) {
    const payload = block.subarray(offset, offset + MAX_FRAME_BYTES);
    const end = offset + payload.length === block.length ? FLAG.endHeaders : 0;
    const [type, endStream] =
      offset === 0 ? [FRAME_TYPE.headers, endsStream ? FLAG.endStream : 0] : [FRAME_TYPE.continuation, 0];
    frames.push(encodeFrame({ type, flags: end | endStream, streamId: STREAM_ID, payload }));
  }
  return frames;
}
