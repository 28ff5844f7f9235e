import assert from 'node:assert/strict';
import { LIFE_PATIENCE_MS } from '../../../src/scheduler-client/liveness.js';
import { LIFELESS_WIDENING_MS, PARENT_PATIENCE_MS } from '../../../src/peer/download/origin-race.js';
import { candidate, CollectionStage } from './support/collection-stage.js';

describe('the pieces of a download', () => {
  it('do not come from the origin where parents that have spoken have nothing to give after one was lost', async () => {
    const stage = new CollectionStage({ pieces: 4 });
    const running = stage.collection.run();
    await stage.pass();
    await stage.answer({ kind: 'parents', parents: ['lost', 'left'].map(candidate) });
    stage.parent('lost').breaks();
    await stage.pass(PARENT_PATIENCE_MS);
    stage.collection.wake();
    await stage.pass();
    assert.deepEqual(stage.questions.names, ['register', 'instead of lost']);
    await stage.answer({ kind: 'parents', parents: [candidate('left')] });
    for (let ms = 0; ms < 2 * LIFE_PATIENCE_MS; ms += LIFELESS_WIDENING_MS) await stage.pass(LIFELESS_WIDENING_MS);
    assert.deepEqual(stage.originFetches.names, []);
    stage.controller.abort(new Error('enough'));
    stage.collection.wake();
    await assert.rejects(running);
  });

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
