import assert from 'node:assert/strict';
import { showLimits } from '../../src/cli/show-limits.js';
import { DEFAULT_BANDWIDTH_LIMIT } from '../../src/config/sections/bandwidth.js';
import { parseByteRate } from '../../src/core/units.js';

const MIB = 1024 * 1024;

describe('dfdaemon limits', () => {
  function show(limits: { name: string; bytesPerSecond?: number; setBy: string; binds: boolean }[]): string[] {
    const text = showLimits({ limits, limitedRoute: 'copy', interfaceBytesPerSecond: 1e9, caps: [] }, 80);
    return text.split('\n').map((line) => line.trimEnd());
  }

  it('says who has set each limit, and which nobody has set', () => {
    const [, ...lines] = show([
      { name: 'upload', bytesPerSecond: parseByteRate(DEFAULT_BANDWIDTH_LIMIT), setBy: 'config', binds: false },
      { name: 'uploadPerTask', setBy: 'config', binds: false },
      { name: 'uploadPerChild', bytesPerSecond: MIB, setBy: 'runtime', binds: true },
      { name: 'download', bytesPerSecond: 2 * MIB, setBy: 'config', binds: true },
    ]);
    assert.deepEqual(
      lines.slice(0, 4).map((line) => line.split(/ {2,}/)),
      [
        ['all uploads', '46.6 GiB/s', 'no', 'nobody (default)'],
        ['uploads of one task', 'none', 'no', 'nobody (default)'],
        ['uploads to one IP', '1.0 MiB/s', 'yes', 'operator, at run time'],
        ['all downloads', '2.0 MiB/s', 'yes', 'configuration'],
      ],
    );
  });

  it('says by which route uploads go', () => {
    const upload = { name: 'upload', bytesPerSecond: MIB, setBy: 'config' };
    assert.ok(show([{ ...upload, binds: true }]).includes('an upload limit binds: bytes go by the route copy'));
    assert.ok(
      show([{ ...upload, binds: false }]).some((line) =>
        line.startsWith('no upload limit binds: bytes go by sendfile'),
      ),
    );
  });
});
