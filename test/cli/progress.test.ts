import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import type { WriteStream } from 'node:tty';
import type { DownloadProgress } from '../../src/cli/download-client.js';
import { PlainProgress } from '../../src/cli/progress.js';
import { TerminalProgress } from '../../src/cli/terminal-progress.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

function progressOf(bytes: number): DownloadProgress {
  const bytesBySource = { origin: bytes, peers: 0, local: 0 };
  return { bytes, wantedBytes: 10 * MIB, bytesBySource } as unknown as DownloadProgress;
}

describe('how a download goes', () => {
  function sink(): { stream: PassThrough; written: () => string } {
    const stream = new PassThrough({ encoding: 'utf8' });
    let text = '';
    stream.on('data', (chunk: string) => (text += chunk));
    return { stream, written: () => text };
  }

  it('is a line now and then where there is no terminal, also while nothing comes', async () => {
    const { stream, written } = sink();
    const progress = new PlainProgress(stream, 10);
    await until('a line', async () => /^waiting for the first byte, \d/.test(written()));
    progress.onProgress(progressOf(0));
    await until('a line without a source', async () => /^0 B of 10\.0 MiB, 0 B\/s$/m.test(written()));
    progress.onProgress(progressOf(MIB));
    await until('a line with one', async () => /^1\.0 MiB of 10\.0 MiB, .*\/s, origin 100%$/m.test(written()));
    progress.stop();
    const told = written();
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(written(), told);
  });

  it('is on a terminal from the start, and fits it', async () => {
    const { stream, written } = sink();
    const progress = new TerminalProgress(
      Object.assign(stream, { isTTY: true, columns: 20 }) as unknown as WriteStream,
      false,
    );
    await until('the wait', async () => written().includes('waiting for the fir'));
    assert.ok(!written().includes('waiting for the first b'));
    progress.onProgress(progressOf(5 * MIB));
    await until('the bar', async () => written().includes('50%'));
    progress.stop();
  });
});
