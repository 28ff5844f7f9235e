import { ByteCursor } from '../core/byte-cursor.js';

/** Just enough of the protobuf encoding to pass an embedded message on byte for byte, unknown fields included. */

const WIRE_TYPE = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

/** The payloads of one length-delimited field, in order, as views of `message`. @throws RangeError when malformed */
export function lengthDelimitedFields(message: Buffer, fieldNumber: number): Buffer[] {
  const cursor = new ByteCursor(message);
  const found: Buffer[] = [];
  while (!cursor.atEnd) {
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
