import { credentials } from '@grpc/grpc-js';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { toSettings } from '../../src/cli/to-settings.js';
import { resolveDaemonConfig } from '../../src/config/resolve.js';
import type { Logger } from '../../src/core/logger.js';
import type { DownloadTaskResponse__Output } from '../../src/generated/dfdaemon/v2/DownloadTaskResponse.js';
import { Daemon } from '../../src/peer/daemon.js';
import { DfdaemonDownload } from '../../src/grpc/protos.js';

/** Pieces fetched at once: what a kill may cost. */
export const PIECES_IN_FLIGHT = 4;
const DOWNLOAD_TIMEOUT_MS = 60_000;

/** A daemon on loopback without schedulers, with its store below `directory`. */
export async function startPeer(directory: string, logger: Logger): Promise<Daemon> {
  await mkdir(directory, { recursive: true });
  const server = { ip: '127.0.0.1', port: 0 };
  const configFile = join(directory, 'dfdaemon.yaml');
  const config = {
    host: { ip: '127.0.0.1' },
    download: { server: { socketPath: socketOf(directory) }, concurrentPieceCount: PIECES_IN_FLIGHT },
    upload: { server },
    storage: { dir: directory, server: { ip: '127.0.0.1', tcpPort: 0, httpPort: 0 } },
    scheduler: { embedded: { enable: false } },
    metrics: { server },
    health: { server },
  };
  await writeFile(configFile, stringify(config));
  const resolved = await resolveDaemonConfig({
    configFile,
    schedulers: [],
    isLoopbackOnly: true,
    logLevel: 'info',
    logMaxFiles: 1,
    logMaxFileSizeBytes: 1024,
    console: true,
  });
  return Daemon.start(toSettings(resolved, 'test'), logger);
}

export function storeOf(directory: string): string {
  return join(directory, 'dfpeer');
}

function socketOf(directory: string): string {
  return join(directory, 'peer.sock');
}

/** Resolves with the task id once `outputPath` is there. */
export async function fetchThrough(
  directory: string,
  url: string,
  outputPath: string,
  range?: string,
): Promise<string> {
  const client = new DfdaemonDownload(`unix:${socketOf(directory)}`, credentials.createInsecure());
  try {
    const requestHeader = range === undefined ? {} : { Range: range };
    const call = client.downloadTask(
      { download: { url, outputPath, overwrite: true, requestHeader } },
      { deadline: Date.now() + DOWNLOAD_TIMEOUT_MS },
    );
    let taskId = '';
    for await (const each of call) ({ taskId } = each as DownloadTaskResponse__Output);
    return taskId;
  } finally {
    client.close();
  }
}
