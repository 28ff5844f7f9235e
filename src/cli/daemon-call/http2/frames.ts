/** Of HTTP/2 (RFC 9113, 6), as far as one request on one connection has to do with them. */
export const FRAME_TYPE = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const SETTING = { headerTableSize: 1, enablePush: 2, initialWindowSize: 4 } as const;

/** What either side must take, and we never exceed. */
export const MAX_FRAME_BYTES = 16_384;
/** Of a stream and of the connection, until somebody says otherwise. */
export const DEFAULT_WINDOW_BYTES = 65_535;
const HEAD_BYTES = 9;

export interface Frame {
  type: number;
  flags: number;
  streamId: number;
  payload: Buffer;
}

export function encodeFrame({ type, flags, streamId, payload }: Frame): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

export function encodeSettings(settings: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * 6);
  for (const [index, [name, value]] of settings.entries()) {
    payload.writeUInt16BE(name, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return encodeFrame({ type: FRAME_TYPE.settings, flags: 0, streamId: 0, payload });
}

export function encodeWindowUpdate(streamId: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return encodeFrame({ type: FRAME_TYPE.windowUpdate, flags: 0, streamId, payload });
}

/** Name and value of each. @throws RangeError when it is malformed */
export function readSettings(payload: Buffer): [name: number, value: number][] {
  if (payload.length % 6 !== 0) throw new RangeError('a malformed SETTINGS frame');
  return Array.from({ length: payload.length / 6 }, (_, index) => [
    payload.readUInt16BE(index * 6),
    payload.readUInt32BE(index * 6 + 2),
  ]);
}

/** A payload without its padding, and without the priority that HEADERS may have. @throws RangeError when it is malformed */
export function bareContent({ flags, type, payload }: Frame): Buffer {
  const isPadded = (flags & FLAG.padded) !== 0;
  const hasPriority = type === FRAME_TYPE.headers && (flags & FLAG.priority) !== 0;
  const start = (isPadded ? 1 : 0) + (hasPriority ? 5 : 0);
  const end = payload.length - (isPadded ? (payload[0] ?? 0) : 0);
  if (end < start) throw new RangeError('a frame that is all padding');
  return payload.subarray(start, end);
}

/** Cuts a connection's bytes into frames, however they come. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /** Those that this chunk completes. @throws RangeError for one that is longer than was allowed */
  push(chunk: Buffer): Frame[] {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    while (rest.length >= HEAD_BYTES) {
      const length = rest.readUIntBE(0, 3);
      if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes`);
      const end = HEAD_BYTES + length;
      if (rest.length < end) break;
      const streamId = rest.readUInt32BE(5) & 0x7fff_ffff;
      frames.push({
        type: rest.readUInt8(3),
        flags: rest.readUInt8(4),
        streamId,
        payload: rest.subarray(HEAD_BYTES, end),
      });
      rest = rest.subarray(end);
    }
    this.#rest = rest;
    return frames;
  }
}
