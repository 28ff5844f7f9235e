import { credentials, type Metadata, type StatusObject } from '@grpc/grpc-js';
import type { Download } from '../../src/generated/common/v2/Download.js';
import type { DownloadTaskResponse__Output } from '../../src/generated/dfdaemon/v2/DownloadTaskResponse.js';
import { DfdaemonDownload, DfdaemonUpload } from '../../src/grpc/protos.js';

export interface DownloadOutcome {
  messages: DownloadTaskResponse__Output[];
  /** As told at the end, failure or not. */
  status: StatusObject;
}

/** One DownloadTask call to its end: on a unix socket (`unix:PATH`), or on the upload port of a daemon (`host:port`). */
export async function downloadTask(
  address: string,
  download: Partial<Download>,
  metadata?: Metadata,
): Promise<DownloadOutcome> {
  const Service = address.startsWith('unix:') ? DfdaemonDownload : DfdaemonUpload;
  const client = new Service(address, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  const request = { download: { filteredQueryParams: [], ...download } };
  try {
    const call = metadata === undefined ? client.downloadTask(request) : client.downloadTask(request, metadata);
    const messages: DownloadTaskResponse__Output[] = [];
    call.on('data', (message: DownloadTaskResponse__Output) => messages.push(message));
    call.on('error', () => undefined);
    const status = await new Promise<StatusObject>((resolve) => call.once('status', resolve));
    return { messages, status };
  } finally {
    client.close();
  }
}
