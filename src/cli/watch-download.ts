import { sleep } from '../core/deadline.js';
import { decodeDownloadState, type DownloadState, encodeWatchRequest } from './daemon-call/download-state.js';
import { callDaemon } from './daemon-call/grpc-call.js';
import type { FoundDaemon } from './daemon-connection.js';

const WATCH_DOWNLOAD = '/dfpeer.v1.DfpeerAdmin/WatchDownload';
/** What is over sooner need not be watched. */
const WATCH_AFTER_MS = 200;
/** The task may not have begun yet, or begins anew. */
const RETRY_AFTER_MS = 500;
const WATCH_TIMEOUT_MS = 24 * 3_600_000;

/** Tells how far a download is within its pieces, over a connection of its own, until the signal. Never rejects: it is a picture only. */
export async function watchDownload(
  daemon: FoundDaemon,
  taskId: string,
  { signal, onState }: { signal: AbortSignal; onState: (state: DownloadState) => void },
): Promise<void> {
  try {
    await sleep(WATCH_AFTER_MS, signal);
    while (!signal.aborted) {
      await callDaemon({
        connection: await daemon.connect(),
        daemon: daemon.name,
        path: WATCH_DOWNLOAD,
        message: encodeWatchRequest(taskId),
        metadata: {},
        timeoutMs: WATCH_TIMEOUT_MS,
        signal,
        onMetadata: () => undefined,
        onMessage: (message) => onState(decodeDownloadState(message)),
      });
      await sleep(RETRY_AFTER_MS, signal);
    }
  } catch {
    // The download itself says what is wrong.
  }
}
