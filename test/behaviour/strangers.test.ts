import assert from 'node:assert/strict';
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { computeTaskId } from '../../src/core/task-id.js';
import { DfdaemonUpload } from '../../src/grpc/protos.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('a stranger on the network', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  let daemon: DaemonProcess;
  let origin: Origin;
  let client: InstanceType<typeof DfdaemonUpload>;

  beforeEach(async () => {
    origin = await Origin.start(1000);
    // Without schedulers nobody is one.
    daemon = await DaemonProcess.start(join(directory(), 'a'), { scheduler: { embedded: { enable: false } } });
    client = new DfdaemonUpload(`127.0.0.1:${daemon.ports.grpc}`, credentials.createInsecure());
  });

  afterEach(async () => {
    client.close();
    await daemon.end();
    await origin.close();
  });

  it('can not delete a task', async () => {
    const get = (...flags: string[]): ReturnType<DaemonProcess['dfget']> =>
      daemon.dfget(origin.url(), '-O', join(directory(), 'out'), '--overwrite', ...flags);
    assert.equal((await get()).code, 0);
    const taskId = computeTaskId({
      url: origin.url(),
      tag: undefined,
      application: undefined,
      filteredQueryParams: [],
    });
    const error = await new Promise<ServiceError | null>((resolve) => client.deleteTask({ taskId }, resolve));
    assert.equal(error?.code, status.PERMISSION_DENIED);
    assert.equal((await get('--disable-back-to-source')).code, 0);
  });

  it('can not start a download, let alone name where it goes', async () => {
    const outputPath = join(directory(), 'written-by-a-stranger');
    const call = client.downloadTask(
      { download: { url: origin.url(), outputPath, filteredQueryParams: [] } },
      new Metadata(),
    );
    const error = await new Promise<ServiceError>((resolve) => {
      call.once('error', resolve);
      call.resume();
    });
    assert.equal(error.code, status.PERMISSION_DENIED);
    assert.equal(origin.requests.length, 0);
    assert.equal(existsSync(outputPath), false);
  });
});
