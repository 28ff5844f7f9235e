import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DfpeerError } from '../../src/core/errors.js';
import { parseTaskId } from '../../src/core/task-id.js';
import {
  MAX_VALUE_LENGTH,
  VortexDecoder,
  type VortexPacket,
  encodeContent,
  encodeError,
  encodeRequest,
} from '../../src/vortex/codec.js';
import { closeVector, contentVectors, errorVectors, requestVectors } from './support/vectors.js';

function decodeOne(bytes: Buffer): VortexPacket | undefined {
  const decoder = new VortexDecoder();
  decoder.push(bytes);
  const packet = decoder.next();
  if (packet !== undefined) assert.equal(decoder.pendingBytes, 0);
  return packet;
}

const hexTaskId = fc
  .string({ unit: fc.constantFrom(...Array.from('0123456789abcdef')), minLength: 64, maxLength: 64 })
  .map(parseTaskId);
const byte = fc.nat(255);
const uint32 = fc.nat(0xffffffff);
const metadata = fc.record(
  {
    number: uint32,
    offset: fc.maxSafeNat(),
    length: fc.maxSafeNat(),
    digest: fc.string({ unit: 'binary', maxLength: 200, size: 'max' }),
    parentId: fc.string({ unit: 'binary', maxLength: 300, size: 'max' }),
    trafficType: byte,
    costSeconds: fc.maxSafeNat(),
    createdAtSeconds: fc.maxSafeInteger(),
  },
  { noNullPrototype: true },
);

describe('the vortex codec', () => {
  it('reads and writes every captured request to the byte', () => {
    for (const { hex, ...fields } of requestVectors) {
      assert.deepEqual(decodeOne(Buffer.from(hex, 'hex')), { kind: 'request', ...fields });
      const { taskId, pieceNumber, packetId, tag } = fields;
      assert.equal(encodeRequest(parseTaskId(taskId), pieceNumber, packetId, tag).toString('hex'), hex);
    }
  });

  it('reads and writes every captured answer to the byte', () => {
    for (const { hex, packetId, metadata } of contentVectors) {
      assert.deepEqual(decodeOne(Buffer.from(hex, 'hex')), { kind: 'content', packetId, tag: 1, metadata });
      assert.equal(encodeContent(metadata, packetId).toString('hex'), hex);
    }
    for (const { hex, packetId, message } of errorVectors) {
      assert.deepEqual(decodeOne(Buffer.from(hex, 'hex')), { kind: 'error', packetId, code: 2, message });
      assert.equal(encodeError(2, message, packetId).toString('hex'), hex);
    }
    const { hex, packetId } = closeVector;
    assert.deepEqual(decodeOne(Buffer.from(hex, 'hex')), { kind: 'close', packetId });
  });

  it('writes no packet that is longer than one may be', () => {
    const zeros = { offset: 0, length: 0, trafficType: 0, costSeconds: 0, createdAtSeconds: 0 };
    const long = { number: 0, digest: '', parentId: 'x'.repeat(MAX_VALUE_LENGTH), ...zeros };
    assert.throws(() => encodeContent(long), { code: 'DFP_INVALID_ARGUMENT' });
  });

  it('cuts the words of an error to what a packet may have', () => {
    const packet = decodeOne(encodeError(2, 'x'.repeat(MAX_VALUE_LENGTH + 1)));
    assert.equal(packet?.kind === 'error' && packet.message, 'x'.repeat(MAX_VALUE_LENGTH - 1));
  });

  it('leaves the piece bytes that follow the metadata alone', () => {
    const decoder = new VortexDecoder();
    decoder.push(Buffer.from(`${contentVectors[1]?.hex ?? ''}72`, 'hex'));
    assert.equal(decoder.next()?.kind, 'content');
    assert.deepEqual(decoder.takeRest(), Buffer.from('r'));
  });

  it('gives back what it was given, in whatever cuts it arrives', () => {
    const packets = fc.oneof(
      fc.record({
        bytes: fc
          .tuple(hexTaskId, uint32, byte, fc.constantFrom(0, 2, 4))
          .map((args) => encodeRequest(...(args as Parameters<typeof encodeRequest>))),
      }),
      fc
        .tuple(metadata, byte, fc.constantFrom(1, 3, 5))
        .map((args) => ({ bytes: encodeContent(...(args as Parameters<typeof encodeContent>)), metadata: args[0] })),
      fc
        .tuple(byte, fc.string({ unit: 'binary', maxLength: 300, size: 'max' }), byte)
        .map((args) => ({ bytes: encodeError(...args), message: args[1] })),
    );
    fc.assert(
      fc.property(
        fc.array(packets, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 }),
        (sent, cuts) => {
          const decoder = new VortexDecoder();
          const all = Buffer.concat(sent.map((packet) => packet.bytes));
          const received: VortexPacket[] = [];
          for (let at = 0, turn = 0; at < all.length; turn++) {
            const cut = cuts[turn % cuts.length] ?? 1;
            decoder.push(all.subarray(at, at + cut));
            at += cut;
            for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) received.push(packet);
          }
          assert.equal(decoder.pendingBytes, 0);
          assert.equal(received.length, sent.length);
          for (const [index, packet] of received.entries()) {
            const original = sent[index];
            if (packet.kind === 'content')
              assert.deepEqual(
                packet.metadata,
                original !== undefined && 'metadata' in original ? original.metadata : undefined,
              );
            if (packet.kind === 'error')
              assert.equal(
                packet.message,
                original !== undefined && 'message' in original ? original.message : undefined,
              );
          }
        },
      ),
    );
  });

  it('answers any bytes with a packet, patience or a coded error, and never holds more than one packet', () => {
    const header = fc
      .tuple(byte, fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 254, 255), fc.nat(120))
      .map(([id, tag, length]) => {
        const bytes = Buffer.alloc(6);
        bytes.writeUInt8(id, 0);
        bytes.writeUInt8(tag, 1);
        bytes.writeUInt32BE(length, 2);
        return bytes;
      });
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 300, size: 'max' }),
      fc.tuple(header, fc.uint8Array({ maxLength: 200, size: 'max' })).map((parts) => Buffer.concat(parts)),
    );
    fc.assert(
      fc.property(noise, (bytes) => {
        const decoder = new VortexDecoder();
        decoder.push(bytes);
        try {
          while (decoder.next() !== undefined);
          assert.ok(decoder.pendingBytes <= MAX_VALUE_LENGTH + 6);
        } catch (error) {
          assert.ok(error instanceof DfpeerError, String(error));
          assert.ok(['DFP_INVALID_ARGUMENT', 'DFP_PARENT_PROTOCOL'].includes(error.code));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses from the header alone what it will never read', () => {
    const refused: [string, string][] = [
      ['a request of another length', '000000000045'],
      ['a value beyond the bound', '000100002001'],
      ['a Close with a value', '00fe00000001'],
      ['an unknown tag', '000600000044'],
    ];
    for (const [what, hex] of refused) assert.throws(() => decodeOne(Buffer.from(hex, 'hex')), DfpeerError, what);
  });

  it('refuses metadata whose lengths do not add up, and numbers beyond safe integers', () => {
    const good = Buffer.from(contentVectors[0]?.hex ?? '', 'hex');
    const corrupt = (at: number, value: number): Buffer => {
      const copy = Buffer.from(good);
      copy.writeUInt32BE(value, at);
      return copy;
    };
    for (const [at, value] of [
      [6, 75],
      [30, 17],
      [30, 0xffffffff],
      [50, 14],
      [14, 0xffffffff],
      [22, 0x00200000],
    ] as const)
      assert.throws(() => decodeOne(corrupt(at, value)), { code: 'DFP_PARENT_PROTOCOL' }, `offset ${at} = ${value}`);
    const zeros = { offset: 0, length: 0, trafficType: 0, costSeconds: 0, createdAtSeconds: 0 };
    const shorterId = encodeContent({ number: 0, digest: '', parentId: 'xx', ...zeros });
    shorterId.writeUInt32BE(1, 34);
    assert.throws(() => decodeOne(shorterId), { code: 'DFP_PARENT_PROTOCOL' }, 'a parent id that is shorter');
    const withMore = Buffer.concat([corrupt(2, good.readUInt32BE(2) + 1), Buffer.of(0)]);
    assert.throws(() => decodeOne(withMore), { code: 'DFP_PARENT_PROTOCOL' }, 'bytes after the metadata');
  });
});
