import { MessageWriter, numberOf, readFields } from '../../core/protobuf.js';

/** dfpeer.v1.DownloadState: how far our own daemon is, in bytes. */
export interface DownloadState {
  /** Absent while the origin tells none. */
  contentLength: number | undefined;
  storedBytes: number;
  /** Beyond what is stored. */
  arrivingFromPeers: number;
  arrivingFromOrigin: number;
}

/** dfpeer.v1.WatchDownloadRequest. */
export function encodeWatchRequest(taskId: string): Buffer {
  return new MessageWriter().text(1, taskId).finish();
}

/** @throws RangeError when the message is malformed */
export function decodeDownloadState(message: Buffer): DownloadState {
  const state: DownloadState = {
    contentLength: undefined,
    storedBytes: 0,
    arrivingFromPeers: 0,
    arrivingFromOrigin: 0,
  };
  for (const field of readFields(message)) {
    if (field.number === 1) state.contentLength = numberOf(field);
    else if (field.number === 2) state.storedBytes = numberOf(field);
    else if (field.number === 3) state.arrivingFromPeers = numberOf(field);
    else if (field.number === 4) state.arrivingFromOrigin = numberOf(field);
  }
  return state;
}
