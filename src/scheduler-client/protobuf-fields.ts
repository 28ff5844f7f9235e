/** Just enough of the protobuf encoding to pass an embedded message on byte for byte, unknown fields included. */

const WIRE_TYPE = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

class Cursor {
  offset = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.offset >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let index = 0; index < 10; index++) {
      const byte = this.#bytes[this.offset++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw new RangeError('truncated or oversized varint in a protobuf message');
  }

  take(length: number): Buffer {
    const end = this.offset + length;
    if (end > this.#bytes.length) throw new RangeError('truncated protobuf message');
    const slice = this.#bytes.subarray(this.offset, end);
    this.offset = end;
    return slice;
  }
}

/** The payloads of one length-delimited field, in order, as views of `message`. @throws RangeError when malformed */
export function lengthDelimitedFields(message: Buffer, fieldNumber: number): Buffer[] {
  const cursor = new Cursor(message);
  const found: Buffer[] = [];
  while (!cursor.done) {
    const tag = cursor.varint();
    const wireType = tag % 8;
    if (wireType === WIRE_TYPE.varint) cursor.varint();
    else if (wireType === WIRE_TYPE.fixed64) cursor.take(8);
    else if (wireType === WIRE_TYPE.fixed32) cursor.take(4);
    else if (wireType === WIRE_TYPE.lengthDelimited) {
      const payload = cursor.take(cursor.varint());
      if (Math.floor(tag / 8) === fieldNumber) found.push(payload);
    } else throw new RangeError(`unknown protobuf wire type ${wireType}`);
  }
  return found;
}

/** One length-delimited field: tag, length, payload. */
export function encodeLengthDelimited(fieldNumber: number, payload: Uint8Array): Buffer {
  const head = [...encodeVarint(fieldNumber * 8 + WIRE_TYPE.lengthDelimited), ...encodeVarint(payload.length)];
  return Buffer.concat([Buffer.from(head), payload]);
}

function encodeVarint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}
