import assert from 'node:assert/strict';
import { LIFE_PATIENCE_MS } from '../../../src/scheduler-client/liveness.js';
import {
  LIFELESS_WIDENING_MS,
  ORIGIN_WIDENING_MS,
  PARENT_PATIENCE_MS,
} from '../../../src/peer/download/origin-race.js';
import { ENOUGH_PARENTS, FIRST_SEARCH_MS } from '../../../src/peer/download/parent-search.js';
import { candidate } from './support/candidate-parent.js';
import { CollectionStage, PIECE_LENGTH, SMALL_TASK_BYTES } from './support/collection-stage.js';

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
    await stage.pass(2 * PARENT_PATIENCE_MS);
    assert.deepEqual(stage.originFetches.names, []);
    stage.controller.abort(new Error('enough'));
    stage.collection.wake();
    await assert.rejects(running);
  });

  it('come from the origin soon where parents show no life', async () => {
    const stage = new CollectionStage({ pieces: 4 });
    stage.parent('mute').isMute = true;
    const running = stage.collection.run();
    await stage.pass();
    await stage.answer({ kind: 'parents', parents: [candidate('mute')] });
    await stage.pass(LIFE_PATIENCE_MS - LIFELESS_WIDENING_MS);
    assert.deepEqual(stage.originFetches.names, []);
    await stage.pass(LIFELESS_WIDENING_MS);
    assert.deepEqual(stage.originFetches.names, ['0 meanwhile']);
    await stage.originGivesAll();
    await stage.pass(LIFELESS_WIDENING_MS);
    await stage.originGivesAll();
    await running;
    assert.ok(stage.told.includes('piece 3 of the origin'));
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

  it('come straight from the origin where there is no scheduler, or the task is small', async () => {
    for (const options of [{ pieces: 4, hasScheduler: false }, { pieces: SMALL_TASK_BYTES / PIECE_LENGTH }]) {
      const stage = new CollectionStage(options);
      const running = stage.collection.run();
      await stage.pass();
      assert.deepEqual([stage.originFetches.names, stage.questions.names], [['0', '1'], []]);
      await stage.originGivesAll();
      await running;
      assert.equal(stage.collection.source, 'origin');
    }
  });

  it('do not come from an origin that may not be used: a scheduler is asked, and without one that is the end', async () => {
    const small = new CollectionStage({ pieces: 1, disableBackToSource: true });
    const refused = assert.rejects(small.collection.run(), { code: 'DFP_BACK_TO_SOURCE_DISABLED' });
    await small.pass();
    assert.deepEqual(small.questions.names, ['register']);
    await small.answer({ kind: 'back-to-source', description: 'nobody has it' });
    await refused;
    const alone = new CollectionStage({ pieces: 1, disableBackToSource: true, hasScheduler: false });
    await assert.rejects(alone.collection.run(), { code: 'DFP_BACK_TO_SOURCE_DISABLED' });
    assert.deepEqual(alone.originFetches.names, []);
  });

  it('come from the origin where it gives no single ones and a scheduler thinks for too long, whose answer is too late then', async () => {
    const stage = new CollectionStage({ pieces: 4 });
    Object.assign(stage.origin, { mayRace: false, takesRanges: false });
    const running = stage.collection.run();
    for (let ms = 0; ms < PARENT_PATIENCE_MS; ms += ORIGIN_WIDENING_MS) {
      assert.deepEqual(stage.originFetches.names, []);
      await stage.pass(ORIGIN_WIDENING_MS);
    }
    await stage.pass(ORIGIN_WIDENING_MS);
    assert.deepEqual(stage.originFetches.names, ['0', '1']);
    await stage.answer({ kind: 'parents', parents: [candidate('late')] });
    assert.equal(stage.told.at(-1), 'origin: the answer came too late');
    await stage.originGivesAll();
    await running;
    assert.deepEqual(stage.fetches.names, []);
  });

  it('are asked of parents that join later, and further ones are looked for while they are few', async () => {
    const stage = new CollectionStage({ pieces: 4 });
    const running = stage.collection.run();
    await stage.pass(FIRST_SEARCH_MS);
    await stage.answer({ kind: 'parents', parents: [candidate('first')] });
    assert.deepEqual(stage.told, ['started']);
    assert.deepEqual(stage.collection.waitingFor(), ['an offer of 4 pieces from first']);
    await stage.pass(FIRST_SEARCH_MS);
    assert.deepEqual(stage.told, ['started', 'search']);
    const others = Array.from({ length: ENOUGH_PARENTS - 1 }, (_, index) => `other ${index}`);
    await stage.tellOfMore(...others);
    await stage.pass(60_000);
    assert.deepEqual(stage.told, ['started', 'search']);
    for (const [number, name] of others.slice(0, 4).entries()) {
      stage.parent(name).offer(number);
      await stage.pass();
      await stage.give(`${number} ${name}`);
    }
    await running;
    assert.equal(stage.collection.wantMore(), false);
  });
});
