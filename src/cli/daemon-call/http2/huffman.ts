/** Bits of the code of each byte, and of the end of the string, by value (RFC 7541, appendix B). */
// prettier-ignore
const CODE_BITS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
] as const;

const MAX_CODE_BITS = 30;
const END_OF_STRING = 256;

/** The bytes whose codes have one length, in the order of their codes, which follow each other from `first` on. */
interface Length {
  first: number;
  symbols: number[];
}

/** By bits. The code is canonical: lengths are all it takes. */
const LENGTHS: readonly Length[] = buildLengths();

function buildLengths(): Length[] {
  const lengths: Length[] = [];
  let next = 0;
  for (let bits = 0; bits <= MAX_CODE_BITS; bits++) {
    next *= 2;
    const symbols = CODE_BITS.flatMap((each, symbol) => (each === bits ? [symbol] : []));
    lengths.push({ first: next, symbols });
    next += symbols.length;
  }
  return lengths;
}

/** A string of a header (RFC 7541, 5.2). @throws RangeError for codes that don't exist, and padding that is none */
export function decodeHuffman(bytes: Uint8Array): string {
  const decoded: number[] = [];
  let [code, bits] = [0, 0];
  for (const byte of bytes)
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      const length = LENGTHS[++bits];
      if (length === undefined) throw new RangeError('no Huffman code of HPACK');
      const symbol = length.symbols[code - length.first];
      if (symbol === undefined) continue;
      if (symbol === END_OF_STRING) throw new RangeError('the end of a string within a string of HPACK');
      decoded.push(symbol);
      [code, bits] = [0, 0];
    }
  if (bits > 7 || code !== 2 ** bits - 1) throw new RangeError('a string of HPACK ends amid a character');
  return Buffer.from(decoded).toString('latin1');
}
