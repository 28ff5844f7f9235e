import assert from 'node:assert/strict';
import { credentials, status, type StatusObject } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { DownloadTaskResponse__Output } from '../../../src/generated/dfdaemon/v2/DownloadTaskResponse.js';
import { DfdaemonDownload } from '../../../src/grpc/protos.js';
import { Daemon } from '../../../src/peer/daemon.js';
import { LOCAL_READER_TIMEOUT_MS } from '../../../src/peer/grpc/download-service.js';
import { Origin } from '../../support/origin.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';
import { useEnds } from '../../support/use-ends.js';
import { loopbackSettings } from '../support/loopback-settings.js';

const PIECE = 4 * 1024 * 1024;

describe('a client of the unix socket that takes pieces and reads nothing', () => {
  const directory = useTemporaryDirectory();
  const ends = useEnds();
  let origin: Origin;
  let endPatience: (() => void) | undefined;

  const clock: Clock = {
    ...systemClock,
    after(delayMs, callback, options) {
      if (delayMs !== LOCAL_READER_TIMEOUT_MS) return systemClock.after(delayMs, callback, options);
      endPatience = callback;
      return () => (endPatience = undefined);
    },
  };

  async function startReader(): Promise<{ read: () => Promise<Buffer>; ended: Promise<StatusObject> }> {
    origin = await Origin.start(3 * PIECE);
    ends.push(() => origin.close());
    const settings = await loopbackSettings(directory());
    const daemon = await Daemon.start(settings, silentLogger, clock);
    ends.push(() => daemon.stop());
    const unlimited = { 'grpc.max_receive_message_length': -1 };
    const client = new DfdaemonDownload(`unix:${settings.socketPath}`, credentials.createInsecure(), unlimited);
    ends.push(async () => client.close());
    const download = { url: origin.url(), filteredQueryParams: [], needPieceContent: true };
    const call = client.downloadTask({ download }).on('error', () => undefined);
    const ended = new Promise<StatusObject>((resolve) => call.once('status', resolve));
    const read = async (): Promise<Buffer> => {
      const content = Buffer.alloc(3 * PIECE);
      call.on('data', ({ downloadPieceFinishedResponse: told }: DownloadTaskResponse__Output) => {
        if (told?.piece?.content) content.set(told.piece.content, told.piece.offset);
      });
      await ended;
      return content;
    };
    await until('the daemon to wait for it with one piece in its memory', () => endPatience !== undefined);
    return { read, ended };
  }

  it('has all of it once it reads on', async () => {
    const { read, ended } = await startReader();
    assert.ok((await read()).equals(origin.content));
    assert.equal((await ended).code, status.OK);
  });

  it('is told what to do when it has not for a day', async () => {
    const { read, ended } = await startReader();
    endPatience?.();
    await read();
    const { code, details } = await ended;
    assert.equal(code, status.DEADLINE_EXCEEDED);
    assert.match(details, /within 86400000 ms while waiting for the client to read on; ask again to go on from there/);
  });
});
