import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { DfdaemonDownload } from '../../../src/grpc/protos.js';
import { downloadTask } from '../../support/download-task.js';

/** A process of its own, so that it can be another user: SOCKET MESSAGE [METADATA] [METHOD]; prints status code and details. */
const [socketPath = '', message = '{}', headers = '{}', method = 'downloadTask'] = process.argv.slice(2);
const address = `unix:${socketPath}`;
const metadata = new Metadata();
for (const [name, value] of Object.entries(JSON.parse(headers) as Record<string, string>)) metadata.set(name, value);

if (method === 'downloadTask') {
  const { status } = await downloadTask(address, JSON.parse(message) as { url: string }, metadata);
  process.stdout.write(`${status.code} ${status.details}\n`);
} else {
  const client = new DfdaemonDownload(address, credentials.createInsecure());
  const error = await new Promise<ServiceError | null>((resolve) => {
    if (method === 'deleteHost') client.deleteHost({}, resolve);
    else if (method === 'deleteTask') client.deleteTask({ taskId: 'a'.repeat(64) }, resolve);
    else client.deleteLocalTask({ taskId: 'a'.repeat(64) }, resolve);
  });
  client.close();
  process.stdout.write(error === null ? '0 OK\n' : `${error.code} ${error.details}\n`);
}
