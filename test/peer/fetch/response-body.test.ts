import assert from 'node:assert/strict';
import type { Dispatcher } from 'undici';
import { MAX_BUFFERED_BYTES, ResponseBody } from '../../../src/peer/fetch/origin/response-body.js';

describe("the body of an origin's answer", () => {
  it('is taken from the socket only as far as its reader keeps up', async () => {
    let isPaused = false;
    const controller = { pause: () => (isPaused = true), resume: () => (isPaused = false) };
    const body = new ResponseBody(controller as unknown as Dispatcher.DispatchController);
    const half = Buffer.alloc(MAX_BUFFERED_BYTES / 2);
    for (let round = 0; round < 2; round++) {
      body.push(half);
      assert.equal(isPaused, false);
      body.push(half);
      assert.equal(isPaused, true);
      assert.equal((await body.read())?.length, 2);
      const more = body.read();
      assert.equal(isPaused, false);
      body.push(half);
      assert.equal((await more)?.length, 1);
    }
  });
});
