import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { computeTaskId } from '../../src/core/task-id.js';
import { DfdaemonUpload } from '../../src/grpc/protos.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { downloadTask } from '../support/download-task.js';
import { Origin } from '../support/origin.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const SECRETS = {
  password: 'hunter2-in-the-url',
  signature: 'c2lnbmF0dXJlLW9mLWEtcXVlcnk',
  header: 'Bearer-token-of-a-header',
  cookie: 'session-cookie-value',
};

describe('the secrets of a download', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();

  it('reach neither the log, nor metrics, nor errors, nor, for headers, the disk', async () => {
    const origin = await Origin.start(200_000);
    const daemon = await DaemonProcess.start(
      join(directory(), 'd'),
      { backend: { maxRetries: 0 } },
      { args: ['--log-level', 'trace'] },
    );
    const { password, signature, header, cookie } = SECRETS;
    const requestHeader = { Authorization: header, Cookie: `id=${cookie}`, 'X-Amz-Security-Token': header };
    const withSecrets = (port: number, path: string): string =>
      `http://user:${password}@127.0.0.1:${port}${path}?X-Amz-Signature=${signature}&token=${signature}`;
    const said: string[] = [];
    for (const url of [
      withSecrets(origin.port, '/fine'),
      withSecrets(1, '/unreachable'),
      withSecrets(origin.port, '/../..'),
      `ftp://user:${password}@127.0.0.1/?Signature=${signature}`,
      `http://user:${password}@[::1/?Signature=${signature}`,
    ]) {
      const { status } = await downloadTask(`unix:${daemon.socketPath}`, { url, requestHeader });
      said.push(status.details);
    }
    origin.behaviour = { status: 403 };
    const refused = await downloadTask(`unix:${daemon.socketPath}`, {
      url: withSecrets(origin.port, '/refused'),
      requestHeader,
    });
    said.push(refused.status.details, JSON.stringify(refused.status.metadata.toJSON()));
    const metrics = (await daemon.metrics()).join('\n');
    assert.equal(await daemon.end(), 0);
    for (const [name, secret] of Object.entries(SECRETS)) {
      assert.ok(!daemon.output.join('\n').includes(secret), `${name} is in the log`);
      assert.ok(!metrics.includes(secret), `${name} is in a metric`);
      assert.ok(!said.join('\n').includes(secret), `${name} is in an error`);
    }
    const stored = await readAll(join(daemon.directory, 'store'));
    for (const secret of [header, cookie]) assert.ok(!stored.includes(secret), 'a header is on the disk');
    await origin.close();
  });

  it('are not passed on when the origin gives them: its cookies stay out of what is stored and told', async () => {
    const body = Buffer.alloc(1000);
    const origin = createServer((_, response) => {
      response.writeHead(200, { 'set-cookie': `session=${SECRETS.cookie}`, 'content-length': body.length }).end(body);
    }).listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const daemon = await DaemonProcess.start(join(directory(), 'd'));
    const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}/f`;
    const { messages, status } = await downloadTask(`unix:${daemon.socketPath}`, { url });
    assert.equal(status.code, 0, status.details);

    const client = new DfdaemonUpload(`127.0.0.1:${daemon.ports.grpc}`, credentials.createInsecure());
    const taskId = computeTaskId({ url, tag: undefined, application: undefined, filteredQueryParams: [] });
    const told = await new Promise<object | undefined>((resolve) =>
      client.statLocalTask({ taskId }, (_, task) => resolve(task)),
    );
    client.close();
    assert.match(JSON.stringify(told), /content-length/, 'other headers are told to anybody');
    assert.ok(!JSON.stringify([told, messages]).includes(SECRETS.cookie), 'a cookie is told');
    assert.equal(await daemon.end(), 0);
    assert.ok(!(await readAll(join(daemon.directory, 'store'))).includes(SECRETS.cookie), 'a cookie is on the disk');
    origin.close();
  });
});

async function readAll(directory: string): Promise<Buffer> {
  const contents: Buffer[] = [];
  for (const name of await readdir(directory, { recursive: true })) {
    const path = join(directory, name);
    if ((await stat(path)).isFile()) contents.push(await readFile(path));
  }
  return Buffer.concat(contents);
}
