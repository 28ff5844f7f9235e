const MASK = 0xffff_ffff_ffff_ffffn;

const rotateLeft = (word: bigint, bits: bigint): bigint => ((word << bits) | (word >> (64n - bits))) & MASK;

class State {
  v0: bigint;
  v1: bigint;
  v2: bigint;
  v3: bigint;

  constructor(key0: bigint, key1: bigint) {
    this.v0 = key0 ^ 0x736f6d6570736575n;
    this.v1 = key1 ^ 0x646f72616e646f6dn;
    this.v2 = key0 ^ 0x6c7967656e657261n;
    this.v3 = key1 ^ 0x7465646279746573n;
  }

  rounds(count: number): void {
    for (let round = 0; round < count; round++) {
      this.v0 = (this.v0 + this.v1) & MASK;
      this.v2 = (this.v2 + this.v3) & MASK;
      this.v1 = rotateLeft(this.v1, 13n) ^ this.v0;
      this.v3 = rotateLeft(this.v3, 16n) ^ this.v2;
      this.v0 = rotateLeft(this.v0, 32n);
      this.v2 = (this.v2 + this.v1) & MASK;
      this.v0 = (this.v0 + this.v3) & MASK;
      this.v1 = rotateLeft(this.v1, 17n) ^ this.v2;
      this.v3 = rotateLeft(this.v3, 21n) ^ this.v0;
      this.v2 = rotateLeft(this.v2, 32n);
    }
  }

  compress(word: bigint): void {
    this.v3 ^= word;
    this.rounds(2);
    this.v0 ^= word;
  }
}

/** SipHash-2-4 with 64-bit output (Aumasson and Bernstein, 2012). Meant for a few dozen bytes, not for bulk. */
export function siphash24(data: Uint8Array, key0 = 0n, key1 = 0n): bigint {
  const state = new State(key0, key1);
  // The last word is the rest, zero-padded, with the length's low byte on top.
  const padded = Buffer.alloc(Math.floor(data.length / 8) * 8 + 8);
  padded.set(data);
  padded[padded.length - 1] = data.length & 0xff;
  for (let offset = 0; offset < padded.length; offset += 8) state.compress(padded.readBigUInt64LE(offset));
  state.v2 ^= 0xffn;
  state.rounds(4);
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}
