import assert from 'node:assert/strict';
import type { BandwidthLimits } from '../../src/peer/daemon-settings.js';
import { LimitsInForce } from '../../src/peer/limits-in-force.js';

const CONFIGURED: BandwidthLimits = {
  upload: 100,
  uploadPerTask: undefined,
  uploadPerChild: undefined,
  download: 200,
  backToSource: 300,
};

describe('limits in force', () => {
  it("are the configuration's, an operator's while they last, and then the configuration's again", () => {
    const applied: BandwidthLimits[] = [];
    const limits = new LimitsInForce(CONFIGURED, (each) => applied.push(each));
    limits.change({ upload: undefined, download: 5 });
    assert.deepEqual(applied, [{ ...CONFIGURED, upload: undefined, download: 5 }]);
    assert.deepEqual([limits.originOf('upload'), limits.originOf('backToSource')], ['runtime', 'config']);
    assert.deepEqual(limits.configure({ ...CONFIGURED, upload: 7 }), ['upload', 'download']);
    assert.deepEqual([limits.current.upload, limits.current.download, limits.originOf('upload')], [7, 200, 'config']);
    assert.deepEqual(limits.configure(CONFIGURED), []);
  });

  it('stay as they are when a change is refused', () => {
    const limits = new LimitsInForce(CONFIGURED, () => {
      throw new RangeError('no');
    });
    assert.throws(() => limits.change({ upload: -1 }), RangeError);
    assert.deepEqual([limits.current, limits.originOf('upload')], [CONFIGURED, 'config']);
  });
});
