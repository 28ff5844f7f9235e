import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatBytes, formatDurationMs, parseByteSize, parseDurationMs } from '../../src/core/units.js';

describe('sizes and durations', () => {
  const sizes: [string | number, number][] = [
    ['50GB', 50e9],
    ['512KiB', 524288],
    ['4mib', 4194304],
    ['1.5 GiB', 1610612736],
    [4096, 4096],
    ['7', 7],
    ['0', 0],
    ['2M', 2097152],
  ];
  for (const [text, bytes] of sizes) it(`${text} is ${bytes} bytes`, () => assert.equal(parseByteSize(text), bytes));

  const durations: [string, number][] = [
    ['300s', 300_000],
    ['3h', 10_800_000],
    ['1m30s', 90_000],
    ['40m', 2_400_000],
    ['30d', 2_592_000_000],
    ['200ms', 200],
    ['1h 5 min', 3_900_000],
  ];
  for (const [text, ms] of durations) it(`${text} is ${ms} ms`, () => assert.equal(parseDurationMs(text), ms));

  it('refuses the rest, naming what was given', () => {
    for (const text of ['', 'GB', '-1', '1XB', '1e9', '10 MiB/s', '9e99', '9007199254740993', '9000TiB'])
      assert.throws(() => parseByteSize(text), /DFP_USAGE|not a size/);
    for (const text of ['', '10', 's', '-1s', '1y', '1s2', '15000000w'])
      assert.throws(() => parseDurationMs(text), /not a duration/);
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const parse of [parseByteSize, parseDurationMs])
          try {
            assert.ok(Number.isSafeInteger(parse(text)));
          } catch (error) {
            assert.match(String(error), /not a (size|duration)/);
          }
      }),
    );
  });

  it('are written for people', () => {
    assert.deepEqual([0, 1023, 1536, 4194304, 2 ** 60].map(formatBytes), [
      '0 B',
      '1023 B',
      '1.5 KiB',
      '4.0 MiB',
      '1024.0 PiB',
    ]);
    assert.deepEqual([4200, 83_000, 7_200_000].map(formatDurationMs), ['4.2s', '1m23s', '2h0m']);
  });

  it('are written in the next unit where they would round up to it', () => {
    const almost = [1023.4, 1023.6, 1024 ** 2 - 1, 1024 ** 3 - 1, 1023.9 * 1024];
    assert.deepEqual(almost.map(formatBytes), ['1023 B', '1.0 KiB', '1.0 MiB', '1.0 GiB', '1023.9 KiB']);
    assert.deepEqual([59_940, 59_960, 3_599_900].map(formatDurationMs), ['59.9s', '1m0s', '1h0m']);
  });
});
