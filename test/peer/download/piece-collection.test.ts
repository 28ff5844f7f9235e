import assert from 'node:assert/strict';
import { candidate, CollectionStage } from './support/collection-stage.js';

describe('the pieces of a download', () => {
  it('are all on their way: then nobody is asked for other parents, however long the disk takes', async () => {
    const stage = new CollectionStage({ pieces: 4 });
    const running = stage.collection.run();
    await stage.pass();
    await stage.answer({ kind: 'parents', parents: [candidate('parent')] });
    stage.parent('parent').offer(0, 1, 2, 3);
    stage.parent('parent').ends();
    await stage.pass();
    let write = (): void => undefined;
    for (const number of [0, 1, 2, 3]) {
      if (number === 3) stage.disk = new Promise((resolve) => (write = resolve));
      await stage.give(`${number} parent`);
    }
    stage.collection.wake();
    await stage.pass();
    assert.deepEqual(stage.questions.names, ['register']);
    write();
    await running;
    assert.equal(stage.collection.source, 'parents');
  });
});
