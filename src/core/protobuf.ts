import { ByteCursor } from './byte-cursor.js';

/**
 * The protobuf encoding (protobuf.dev/programming-guides/encoding), as far as a few messages need it: those of dfget, for which
 * loading a library and the five .proto files takes longer than downloading a small file, and those that are passed on byte for
 * byte, unknown fields included.
 */

export const WIRE_TYPE = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

/** Builds one message. Fields that are absent (undefined) are left out; numbers are non-negative safe integers. */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];

  number(field: number, value: number | undefined): this {
    if (value === undefined) return this;
    this.#parts.push(varint(field * 8 + WIRE_TYPE.varint), varint(value));
    return this;
  }

  /** False is the same as absent. */
  flag(field: number, value: boolean | undefined): this {
    return this.number(field, value === true ? 1 : undefined);
  }

  text(field: number, value: string | undefined): this {
    return this.bytes(field, value === undefined ? undefined : Buffer.from(value));
  }

  message(field: number, value: MessageWriter | undefined): this {
    return this.bytes(field, value?.finish());
  }

  bytes(field: number, value: Uint8Array | undefined): this {
    if (value === undefined) return this;
    this.#parts.push(varint(field * 8 + WIRE_TYPE.lengthDelimited), varint(value.length), value);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}

/** One field as it was received: a varint as a number (exact up to 2^53), bytes as a view; fields of fixed width are skipped. */
export type Field = { number: number; value: number; bytes?: never } | { number: number; bytes: Buffer; value?: never };

/** The fields of a message in order, unknown ones included. @throws RangeError when it is malformed */
export function* readFields(message: Buffer): Generator<Field, void, undefined> {
  const cursor = new ByteCursor(message);
  while (!cursor.atEnd) {
    const tag = cursor.varint();
    const [number, wireType] = [Math.floor(tag / 8), tag % 8];
    if (wireType === WIRE_TYPE.varint) yield { number, value: cursor.varint() };
    else if (wireType === WIRE_TYPE.lengthDelimited) yield { number, bytes: cursor.take(cursor.varint()) };
    else if (wireType === WIRE_TYPE.fixed64) cursor.take(8);
    else if (wireType === WIRE_TYPE.fixed32) cursor.take(4);
    else throw new RangeError(`unknown protobuf wire type ${wireType}`);
  }
}

/** What a field holds each time that it occurs with bytes, as views of `message`. @throws RangeError when it is malformed */
export function payloadsOf(message: Buffer, number: number): Buffer[] {
  return [...readFields(message)].flatMap((field) =>
    field.number === number && field.bytes !== undefined ? [field.bytes] : [],
  );
}

/** @throws RangeError for a field of another type */
export function numberOf(field: Field): number {
  if (field.value === undefined) throw new RangeError(`field ${field.number} is no number`);
  return field.value;
}

/** @throws RangeError for a field of another type */
export function bytesOf(field: Field): Buffer {
  if (field.bytes === undefined) throw new RangeError(`field ${field.number} has no bytes`);
  return field.bytes;
}

/** @throws RangeError for a field of another type */
export function textOf(field: Field): string {
  return bytesOf(field).toString();
}
