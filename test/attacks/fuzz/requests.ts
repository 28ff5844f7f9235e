import fc from 'fast-check';
import { fieldsOf, type FieldDescriptor } from './descriptors.js';
import { field, varint, WireType } from './wire-writer.js';

/** Messages inside messages, at most. */
const MAX_DEPTH = 5;

/** Values that let a request pass the outer checks now and then. */
export interface Vocabulary {
  /** For any field. */
  texts: readonly string[];
  /** What is right in a field of this name, in lower case without underscores. */
  right: Readonly<Record<string, readonly string[]>>;
  /** A fuzzed daemon may write nowhere else. */
  outputPaths: readonly string[];
}

const INTEGERS = [
  0n,
  1n,
  2n,
  3n,
  4n,
  5n,
  6n,
  100n,
  4_194_304n,
  65_535n,
  2n ** 31n - 1n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  -1n,
];
const VARINT = fc
  .oneof(fc.constantFrom(...INTEGERS), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }))
  .map(varint);
const FIXED32 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes));
const FIXED64 = fc.oneof(
  fc.constantFrom(0, 1, 2, 50, 99, 0.5, 3, 4, 5, 6, -1, NaN, Infinity, 1e300).map((value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return bytes;
  }),
  fc.constantFrom(0, 1).map((value) => Buffer.alloc(8, value)),
);
const BYTES = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));

/** Requests as bytes: well-formed ones of a message, the same with damage, and noise. */
export function requests(messageName: string, vocabulary: Vocabulary): fc.Arbitrary<Buffer> {
  const wellFormed = message(messageName, vocabulary, MAX_DEPTH);
  return fc.oneof(
    { weight: 5, arbitrary: wellFormed },
    {
      weight: 3,
      arbitrary: fc
        .tuple(wellFormed, fc.array(DAMAGE, { minLength: 1, maxLength: 4 }))
        .map(([bytes, all]) => all.reduce(damage, bytes)),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  );
}

function message(name: string, vocabulary: Vocabulary, depth: number): fc.Arbitrary<Buffer> {
  const fields = fieldsOf(name);
  if (fields === undefined) return mapEntry(vocabulary);
  if (fields.length === 0 || depth === 0) return fc.constant(Buffer.alloc(0));
  const each = fields.map((descriptor) =>
    fc.option(fieldOf(descriptor, vocabulary, depth), { nil: Buffer.alloc(0), freq: 4 }),
  );
  const extra = fc.array(
    fc.oneof(...fields.map((descriptor) => fieldOf(descriptor, vocabulary, depth)), unknownField),
    { maxLength: 2 },
  );
  return fc.tuple(fc.tuple(...each), extra).map(([some, more]) => Buffer.concat([...some, ...more]));
}

const unknownField = fc
  .tuple(fc.integer({ min: 1, max: 1000 }), BYTES)
  .map(([number, bytes]) => field(number, WireType.bytes, bytes));

function mapEntry(vocabulary: Vocabulary): fc.Arbitrary<Buffer> {
  const pair = fc.tuple(text([], vocabulary), text([], vocabulary));
  return pair.map(([key, value]) => Buffer.concat([field(1, WireType.bytes, key), field(2, WireType.bytes, value)]));
}

function text(right: readonly string[], { texts }: Vocabulary): fc.Arbitrary<Buffer> {
  return fc
    .oneof(
      { weight: 30, arbitrary: fc.constantFrom(...(right.length > 0 ? right : texts)) },
      { weight: 3, arbitrary: fc.constantFrom(...texts) },
      { weight: 2, arbitrary: fc.string({ maxLength: 40, unit: 'binary' }) },
      { weight: 1, arbitrary: fc.constantFrom('x'.repeat(20_000), '\0', '%', '../../etc', '__proto__', 'constructor') },
    )
    .map((value) => Buffer.from(value));
}

function fieldOf(descriptor: FieldDescriptor, vocabulary: Vocabulary, depth: number): fc.Arbitrary<Buffer> {
  const right = payloadOf(descriptor, vocabulary, depth);
  const wrong = fc.oneof(
    VARINT.map((payload) => field(descriptor.number, WireType.varint, payload)),
    BYTES.map((payload) => field(descriptor.number, WireType.bytes, payload)),
  );
  return fc.oneof({ weight: 80, arbitrary: right }, { weight: 1, arbitrary: wrong });
}

function payloadOf(
  { name, number, type, typeName }: FieldDescriptor,
  vocabulary: Vocabulary,
  depth: number,
): fc.Arbitrary<Buffer> {
  switch (type) {
    case 'TYPE_MESSAGE':
      return message(typeName, vocabulary, depth - 1).map((payload) => field(number, WireType.bytes, payload));
    case 'TYPE_STRING': {
      const plainName = name.replaceAll('_', '').toLowerCase();
      const value =
        plainName === 'outputpath'
          ? fc.constantFrom(...vocabulary.outputPaths).map((path) => Buffer.from(path))
          : text(vocabulary.right[plainName] ?? [], vocabulary);
      return value.map((payload) => field(number, WireType.bytes, payload));
    }
    case 'TYPE_BYTES':
      return BYTES.map((payload) => field(number, WireType.bytes, payload));
    case 'TYPE_ENUM':
      return fc
        .oneof({ weight: 20, arbitrary: fc.bigInt({ min: 0n, max: 3n }).map(varint) }, { weight: 1, arbitrary: VARINT })
        .map((payload) => field(number, WireType.varint, payload));
    case 'TYPE_BOOL':
      return fc.boolean().map((value) => field(number, WireType.varint, varint(value ? 1n : 0n)));
    case 'TYPE_DOUBLE':
    case 'TYPE_FIXED64':
    case 'TYPE_SFIXED64':
      return FIXED64.map((payload) => field(number, WireType.fixed64, payload));
    case 'TYPE_FLOAT':
    case 'TYPE_FIXED32':
    case 'TYPE_SFIXED32':
      return FIXED32.map((payload) => field(number, WireType.fixed32, payload));
    default:
      return VARINT.map((payload) => field(number, WireType.varint, payload));
  }
}

type Damage = { kind: 'flip' | 'cut' | 'insert' | 'repeat'; at: number; byte: number };
const DAMAGE: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'insert', 'repeat'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  byte: fc.integer({ min: 0, max: 255 }),
});

function damage(bytes: Buffer, { kind, at, byte }: Damage): Buffer {
  const index = Math.min(bytes.length - 1, Math.floor(at * bytes.length));
  if (index < 0) return Buffer.from([byte]);
  const [before, after] = [bytes.subarray(0, index), bytes.subarray(index + 1)];
  switch (kind) {
    case 'flip':
      return Buffer.concat([before, Buffer.from([(bytes[index] ?? 0) ^ (byte | 1)]), after]);
    case 'cut':
      return Buffer.from(before);
    case 'insert':
      return Buffer.concat([before, Buffer.from([byte, byte]), bytes.subarray(index)]);
    case 'repeat':
      return Buffer.concat([bytes, bytes.subarray(index)]);
  }
}
