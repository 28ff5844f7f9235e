import assert from 'node:assert/strict';
import type { DownloadResult } from '../../src/cli/download-client.js';
import { ListReporter } from '../../src/cli/list-reporter.js';
import { DfpeerError } from '../../src/core/errors.js';

const MIB = 1024 * 1024;

describe('the last line of a list', () => {
  it('sums up the files that are done, as the lines above it tell them', () => {
    const lines: string[] = [];
    const display = { line: (text: string) => lines.push(text), show: () => undefined, stop: () => undefined };
    const reporter = new ListReporter({ display, files: 3, showProgress: true, explain: undefined });
    const bytesBySource = { origin: 4 * MIB, peers: 0, local: 0 };
    const progress = { bytes: 4 * MIB, wantedBytes: 4 * MIB, bytesBySource } as unknown as DownloadResult;
    const downloads = ['a', 'b', 'c'].map((name, index) =>
      reporter.begin({ url: `http://origin/${name}`, output: { kind: 'file', path: `/${name}` } }, index),
    );
    for (const download of downloads) download.onProgress(progress);
    for (const download of downloads.slice(0, 2)) download.done({ ...progress, outputBytes: 100 }, '/file');
    downloads[2]?.failed(new DfpeerError('DFP_ORIGIN_STATUS', 'no'), 3, false);
    reporter.end({ files: 3, failed: 1, exitCode: 3, interrupted: false });
    assert.match(lines[0] ?? '', /^\/file: 100 B in .* \(origin 100%\)$/);
    assert.match(lines.at(-1) ?? '', /^2 files: 200 B in .* \(origin 100%\)$/);
  });
});
