import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BlockWriter } from '../../../src/peer/fetch/block-writer.js';
import { BlockWatch } from './support/blocks.js';
import { bytesOf, coded, digestOf } from './support/fixtures.js';
import { useStoreFile } from './support/hooks.js';

describe('a writer that tells blocks', () => {
  const file = useStoreFile();

  it('tells each block once it is in the file, however the piece comes', () => {
    const [length, blockLength] = [fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 400 })];
    const cuts = fc.array(fc.nat());
    fc.assert(
      fc.property(length, blockLength, cuts, (pieceBytes, blockBytes, marks) => {
        const slice = { number: 1, offset: 1000, length: pieceBytes };
        const watch = new BlockWatch(file(), slice, bytesOf(slice), blockBytes);
        const writer = new BlockWriter(file().path, slice, watch);
        let from = 0;
        for (const at of [...marks.map((mark) => mark % pieceBytes).sort((a, b) => a - b), pieceBytes]) {
          writer.write(bytesOf(slice).subarray(from, at));
          from = at;
          assert.equal(watch.told, at === pieceBytes ? watch.all : Math.floor(at / blockBytes));
          assert.equal(writer.untilBlockEnd, Math.min(blockBytes * (Math.floor(at / blockBytes) + 1), pieceBytes) - at);
        }
        writer.close();
        assert.equal(writer.digest, digestOf(slice));
      }),
    );
  });

  it('takes the piece for one block when nobody wants to know', () => {
    const slice = { number: 0, offset: 0, length: 100 };
    const writer = new BlockWriter(file().path, slice, undefined);
    writer.write(bytesOf(slice).subarray(0, 30));
    assert.equal(writer.untilBlockEnd, 70);
    writer.write(bytesOf(slice).subarray(30));
    assert.equal(writer.digest, digestOf(slice));
    assert.throws(() => writer.write(Buffer.alloc(1)), coded('DFP_INTERNAL'));
    writer.close();
  });
});
