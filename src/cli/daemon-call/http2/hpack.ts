import { decodeHuffman } from './huffman.js';

/** By lower-case name; what comes twice is joined with commas. */
export type HeaderFields = Readonly<Record<string, string | undefined>>;

/** RFC 7541, appendix A; the first has index 1. */
// prettier-ignore
const STATIC_TABLE: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''], [':method', 'GET'], [':method', 'POST'], [':path', '/'], [':path', '/index.html'], [':scheme', 'http'],
  [':scheme', 'https'], [':status', '200'], [':status', '204'], [':status', '206'], [':status', '304'], [':status', '400'],
  [':status', '404'], [':status', '500'], ['accept-charset', ''], ['accept-encoding', 'gzip, deflate'], ['accept-language', ''],
  ['accept-ranges', ''], ['accept', ''], ['access-control-allow-origin', ''], ['age', ''], ['allow', ''], ['authorization', ''],
  ['cache-control', ''], ['content-disposition', ''], ['content-encoding', ''], ['content-language', ''], ['content-length', ''],
  ['content-location', ''], ['content-range', ''], ['content-type', ''], ['cookie', ''], ['date', ''], ['etag', ''], ['expect', ''],
  ['expires', ''], ['from', ''], ['host', ''], ['if-match', ''], ['if-modified-since', ''], ['if-none-match', ''], ['if-range', ''],
  ['if-unmodified-since', ''], ['last-modified', ''], ['link', ''], ['location', ''], ['max-forwards', ''],
  ['proxy-authenticate', ''], ['proxy-authorization', ''], ['range', ''], ['referer', ''], ['refresh', ''], ['retry-after', ''],
  ['server', ''], ['set-cookie', ''], ['strict-transport-security', ''], ['transfer-encoding', ''], ['user-agent', ''],
  ['vary', ''], ['via', ''], ['www-authenticate', ''],
];

/** Each as a literal with a literal name (RFC 7541, 6.2.2): needs no table, on either side. Latin-1. */
export function encodeHeaders(fields: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, value]) => [
      Buffer.from([0]),
      ...encodeString(name),
      ...encodeString(value),
    ]),
  );
}

function encodeString(text: string): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  return [encodeInteger(bytes.length), bytes];
}

/** With a prefix of seven bits (RFC 7541, 5.1). */
function encodeInteger(value: number): Buffer {
  if (value < 0x7f) return Buffer.from([value]);
  const bytes = [0x7f];
  let rest = value - 0x7f;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/**
 * A header block of somebody who was told to keep no dynamic table (SETTINGS_HEADER_TABLE_SIZE 0).
 * @throws RangeError when it is malformed, or refers to such a table
 */
export function decodeHeaders(block: Uint8Array): HeaderFields {
  const reader = new BlockReader(block);
  const fields: Record<string, string | undefined> = {};
  while (!reader.isAtEnd) {
    const field = readField(reader);
    if (field === undefined) continue;
    const [name, value] = field;
    const before = fields[name];
    fields[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return fields;
}

/** Undefined for a change of the table's size. */
function readField(reader: BlockReader): readonly [string, string] | undefined {
  const kind = reader.peek();
  if ((kind & 0x80) !== 0) return entry(reader.integer(7));
  if ((kind & 0xe0) === 0x20) {
    reader.integer(5);
    return undefined;
  }
  const index = reader.integer((kind & 0x40) !== 0 ? 6 : 4);
  const name = index === 0 ? reader.text() : entry(index)[0];
  return [name, reader.text()];
}

function entry(index: number): readonly [string, string] {
  const found = STATIC_TABLE[index - 1];
  if (found === undefined) throw new RangeError(`HPACK has no entry ${index} without a dynamic table`);
  return found;
}

class BlockReader {
  readonly #block: Uint8Array;
  #offset = 0;

  constructor(block: Uint8Array) {
    this.#block = block;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#block.length;
  }

  peek(): number {
    const byte = this.#block[this.#offset];
    if (byte === undefined) throw new RangeError('truncated header block');
    return byte;
  }

  /** Within the last bits of its first byte, and beyond them when they are all set (RFC 7541, 5.1). */
  integer(prefixBits: number): number {
    const limit = 2 ** prefixBits - 1;
    let value = this.#take() & limit;
    if (value < limit) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#take();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('oversized integer in a header block');
  }

  text(): string {
    const isHuffman = (this.peek() & 0x80) !== 0;
    const length = this.integer(7);
    const bytes = this.#block.subarray(this.#offset, this.#offset + length);
    if (bytes.length < length) throw new RangeError('truncated header block');
    this.#offset += length;
    return isHuffman ? decodeHuffman(bytes) : Buffer.from(bytes).toString('latin1');
  }

  #take(): number {
    const byte = this.peek();
    this.#offset++;
    return byte;
  }
}
