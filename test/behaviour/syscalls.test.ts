import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { canTrace, skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const MIB = 1024 * 1024;

/** Bytes that sendfile(2) is seen to move, in strace's own words. */
function sentBySendfile(trace: string): number {
  return [...trace.matchAll(/sendfile(?:64)?\(.*?\) = (\d+)|<\.\.\. sendfile(?:64)? resumed>.*?\) = (\d+)/g)].reduce(
    (sum, match) => sum + Number(match[1] ?? match[2]),
    0,
  );
}

describe('system calls of an upload', function () {
  this.timeout(120_000);
  const directory = useTemporaryDirectory();

  async function traceUpload(
    context: Mocha.Context,
    upload: Record<string, unknown>,
  ): Promise<{ trace: string; length: number }> {
    if (!canTrace()) skipLoudly(context, 'there is no strace, or it may not trace');
    const file = join(directory(), 'trace');
    const origin = await Origin.start(12 * MIB);
    const wrap = ['strace', '-D', '-f', '-qq', '-e', 'trace=sendfile', '-o', file];
    const daemon = await DaemonProcess.start(
      join(directory(), 'daemon'),
      { upload: { server: { ip: '127.0.0.1', port: 0 }, ...upload } },
      { wrap },
    );
    try {
      const got = await daemon.dfget(origin.url(), '-O', join(directory(), 'file'), '--no-progress');
      assert.equal(got.code, 0, got.stderr);
      const taskId = /[0-9a-f]{64}/.exec(daemon.output.join('\n'))?.[0] ?? '';
      // libuv may use sendfile for files of its own; only what the upload adds counts.
      const before = (await readFile(file, 'utf8')).length;
      const response = await fetch(
        `http://127.0.0.1:${daemon.ports.http}/download/${taskId.slice(0, 3)}/${taskId}?peerId=test`,
      );
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(origin.content));
      await daemon.end();
      return { trace: (await readFile(file, 'utf8')).slice(before), length: origin.content.length };
    } finally {
      await daemon.end('SIGKILL');
      await origin.close();
    }
  }

  it('is sendfile for every byte when nothing limits it', async function () {
    const { trace, length } = await traceUpload(this, {});
    assert.equal(sentBySendfile(trace), length);
  });

  it('is no sendfile at all under a limit', async function () {
    const { trace } = await traceUpload(this, { bandwidthLimit: '64MiB' });
    assert.equal(sentBySendfile(trace), 0);
  });

  it('is sendfile again under a limit with the paced route', async function () {
    const { trace, length } = await traceUpload(this, { bandwidthLimit: '64MiB', limitedRoute: 'paced' });
    assert.equal(sentBySendfile(trace), length);
  });
});
