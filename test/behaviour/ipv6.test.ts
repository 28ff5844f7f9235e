import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { credentials, type ServiceError, status } from '@grpc/grpc-js';
import { DfdaemonUpload } from '../../src/grpc/protos.js';
import { computeTaskId } from '../../src/core/task-id.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const DEADLINE_MS = 10_000;

async function hasIpv6(): Promise<boolean> {
  const server = createServer().listen(0, '::1');
  return Promise.race([
    once(server, 'listening').then(() => (server.close(), true)),
    once(server, 'error').then(() => false),
  ]).catch(() => false);
}

describe('a daemon on IPv6', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  let daemon: DaemonProcess | undefined;

  before(async function () {
    if (!(await hasIpv6())) skipLoudly(this, 'there is no IPv6 on this machine');
  });
  afterEach(() => daemon?.end());

  for (const embedded of ['::1', '::'])
    it(`joins its own scheduler on ${embedded}, and lets it delete tasks`, async () => {
      const upload = { server: { ip: '::1', port: 0 } };
      daemon = await DaemonProcess.start(directory(), { upload, scheduler: { embedded: { ip: embedded } } });
      const client = new DfdaemonUpload(`[::1]:${daemon.ports.grpc}`, credentials.createInsecure());
      const taskId = computeTaskId({ url: 'http://example.com/' });
      const error = await new Promise<ServiceError | null>((resolve) =>
        client.deleteTask({ taskId }, { deadline: Date.now() + DEADLINE_MS }, resolve),
      );
      client.close();
      assert.equal(error?.code, status.NOT_FOUND, error?.message);
    });
});
