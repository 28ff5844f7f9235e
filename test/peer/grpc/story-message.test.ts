import assert from 'node:assert/strict';
import { parseStory } from '../../../src/cli/daemon-call/story.js';
import { encodeStory, MAX_STORY_LENGTH } from '../../../src/peer/grpc/story-message.js';

describe('the story of a download', () => {
  const carriedBy = (parents: number): { parentId: string; protocol: 'http'; route: string; bytes: number }[] =>
    Array.from({ length: parents }, (_, index) => ({
      parentId: `10.0.0.${index}-${'host'.repeat(20)}`,
      protocol: 'http',
      route: 'sendfile',
      bytes: 1000 - index,
    }));

  it('is read as it was told', () => {
    const facts = { firstByteMs: 3.5, originReason: 'nobody – else', carried: carriedBy(3) };
    assert.deepEqual(parseStory(encodeStory(facts)), facts);
    assert.deepEqual(parseStory(encodeStory({})), { carried: [] });
  });

  it('leaves out the parents that gave least when it grows too long for a trailer', () => {
    const text = encodeStory({ originReason: 'x', carried: carriedBy(200) });
    assert.ok(text.length <= MAX_STORY_LENGTH);
    const { originReason, carried } = parseStory(text);
    assert.equal(originReason, 'x');
    assert.deepEqual(carried, carriedBy(200).slice(0, carried.length));
    assert.ok(carried.length > 10);
  });

  it('of another version is taken for what it has', () => {
    const strange = encodeURIComponent(JSON.stringify({ firstByteMs: 'soon', carried: [1, { parentId: 'p' }, null] }));
    assert.deepEqual(parseStory(strange), { carried: [] });
    assert.deepEqual(parseStory('%'), { carried: [] });
  });
});
