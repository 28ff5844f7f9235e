/** Protocol buffers' wire types (protobuf.dev, encoding). */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
export type WireType = (typeof WireType)[keyof typeof WireType];

const UINT64 = 1n << 64n;

/** Any integer, negative ones as 64 bits. */
export function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = ((value % UINT64) + UINT64) % UINT64;
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

export function field(number: number, type: WireType, payload: Uint8Array): Buffer {
  const tag = varint((BigInt(number) << 3n) | BigInt(type));
  return Buffer.concat(type === WireType.bytes ? [tag, varint(BigInt(payload.length)), payload] : [tag, payload]);
}
