import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import type { DownloadTaskResponse__Output } from '../../src/generated/dfdaemon/v2/DownloadTaskResponse.js';
import { DfdaemonDownload } from '../../src/grpc/protos.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { downloadTask } from '../support/download-task.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
/** More pieces than a client of grpc-js keeps for a reader. */
const CONTENT_BYTES = 24 * 4 * MIB;

describe('a daemon that ends when nobody needs it', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  const daemons: DaemonProcess[] = [];

  afterEach(() => Promise.all(daemons.splice(0).map((daemon) => daemon.end())));

  async function start(name: string): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start(join(directory(), name), { download: { aliveTime: '3s' } });
    daemons.push(daemon);
    return daemon;
  }

  const untilEnded = ({ socketPath }: DaemonProcess): Promise<void> =>
    until('the daemon to end', async () => !existsSync(socketPath));

  it('is needed by a client that takes its time over what is stored', async () => {
    const origin = await Origin.start(CONTENT_BYTES);
    const download = { url: origin.url(), filteredQueryParams: [] };
    const daemon = await start('used');
    const address = `unix:${daemon.socketPath}`;
    const { status } = await downloadTask(address, download);
    assert.equal(status.code, 0, status.details);
    await origin.close();
    const client = new DfdaemonDownload(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    });
    try {
      const call = client.downloadTask({ download: { ...download, needPieceContent: true } });
      let bytes = 0;
      for await (const message of call as AsyncIterable<DownloadTaskResponse__Output>) {
        // It began to be unused later.
        if (daemons.length === 1) await untilEnded(await start('unused'));
        bytes += message.downloadPieceFinishedResponse?.piece?.content?.length ?? 0;
      }
      assert.equal(bytes, CONTENT_BYTES);
    } finally {
      client.close();
    }
    await untilEnded(daemon);
  });
});
