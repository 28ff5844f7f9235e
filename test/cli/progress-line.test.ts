import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { DownloadProgress } from '../../src/cli/download-client.js';
import { ListTally } from '../../src/cli/list-tally.js';
import { type LineView, renderListLine, renderProgressLine } from '../../src/cli/progress-line.js';

const MIB = 1024 * 1024;

function progressOf(over: Partial<DownloadProgress> = {}): DownloadProgress {
  const bytesBySource = { peers: 30 * MIB, origin: 10 * MIB, local: 0 };
  const sizes = { contentLength: 80 * MIB, wantedBytes: 80 * MIB, bytes: 40 * MIB };
  return { taskId: 't', peerId: 'p', ...sizes, bytesBySource, ...over };
}

function viewOf(over: Partial<LineView> = {}): LineView {
  return { bytesPerSecond: 10 * MIB, columns: 200, color: false, ...over };
}

const ESCAPE = String.fromCharCode(27);
const COLORS = new RegExp(`${ESCAPE}\\[\\d+m`, 'g');

describe('the progress line of a download', () => {
  it('says all there is to say where there is room', () => {
    assert.equal(
      renderProgressLine(progressOf(), viewOf()),
      `[${'#'.repeat(20)}${'-'.repeat(20)}]  50%  40.0 MiB/80.0 MiB  10.0 MiB/s  ETA 4.0s  peers 75%, origin 25%`,
    );
  });

  it('says what has come of a content whose length nobody tells', () => {
    const unknown = { contentLength: undefined, wantedBytes: undefined };
    assert.equal(renderProgressLine(progressOf(unknown), viewOf()), '40.0 MiB  10.0 MiB/s  length not told');
    assert.equal(renderProgressLine(progressOf(unknown), viewOf({ columns: 20 })), '40.0 MiB  10.0 MiB/');
  });

  it('leaves out from the right where there is none', () => {
    assert.equal(renderProgressLine(progressOf(), viewOf({ columns: 40 })), '[######-------]  50%  40.0 MiB/80.0 MiB');
    assert.equal(renderProgressLine(progressOf(), viewOf({ columns: 8 })), ' 50%');
  });

  it('shows sources in colour, and never without being asked', () => {
    const colored = renderProgressLine(progressOf(), viewOf({ color: true }));
    const [green, yellow, plain] = ['32', '33', '39'].map((code) => `${ESCAPE}[${code}m`);
    const bar = `[${green}${'#'.repeat(15)}${plain}${yellow}${'#'.repeat(5)}${plain}${'-'.repeat(20)}]`;
    assert.ok(colored.startsWith(bar), JSON.stringify(colored));
    assert.equal(colored.replace(COLORS, ''), renderProgressLine(progressOf(), viewOf()));
  });

  it('fits every terminal, whatever the figures', () => {
    const count = fc.nat(2 ** 40);
    const sizes = fc.record({ peers: count, origin: count, local: count, missing: count });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 250 }), count, ({ missing, ...bytesBySource }, columns, speed) => {
        const bytes = bytesBySource.peers + bytesBySource.origin + bytesBySource.local;
        const progress = progressOf({ bytes, wantedBytes: bytes + missing, bytesBySource });
        const line = renderProgressLine(progress, viewOf({ columns, bytesPerSecond: speed }));
        assert.ok(line.length <= Math.max(columns - 1, 1), line);
      }),
    );
  });
});

describe('the progress line of a list', () => {
  function tallyOf(files: number): ListTally {
    const tally = new ListTally(files);
    tally.moved(0, progressOf({ bytes: 80 * MIB, bytesBySource: { peers: 80 * MIB, origin: 0, local: 0 } }));
    tally.ended(0, 'done');
    tally.ended(1, 'failed');
    tally.moved(2, progressOf());
    return tally;
  }

  it('counts files and bytes, and those that failed', () => {
    assert.equal(
      renderListLine(tallyOf(5).progress, viewOf()),
      `[${'#'.repeat(20)}${'-'.repeat(20)}]  50%  2/5 files  1 failed  120.0 MiB  10.0 MiB/s  peers 92%, origin 8%`,
    );
    assert.equal(
      renderListLine(tallyOf(5).progress, viewOf({ columns: 40 })),
      '[#####------]  50%  2/5 files  1 failed',
    );
  });

  it('knows how long it takes once all have begun', () => {
    assert.match(renderListLine(tallyOf(3).progress, viewOf()), /2\/3 files .* 10\.0 MiB\/s {2}ETA 4\.0s/);
  });

  it('is full when all are over, also those without a byte', () => {
    const tally = new ListTally(2);
    tally.ended(0, 'done');
    tally.ended(1, 'failed');
    assert.match(renderListLine(tally.progress, viewOf()), /^\[#{40}\] 100% {2}2\/2 files/);
  });
});
