import { type TaskId, isTaskId } from '../../core/task-id.js';

export interface DownloadTarget {
  taskId: TaskId;
  /** Empty when the child didn't say. */
  peerId: string;
}

const PATH = /^\/download\/([0-9a-f]{3})\/([0-9a-f]{64})$/;
/** The only parameter, in characters that stand for themselves. */
const PLAIN_QUERY = /^peerId=([\w.~-]*)$/;
/** What is kept of a peer id: it only goes into logs and the live view. */
const MAX_PEER_ID_LENGTH = 255;

/** `/download/{id[0:3]}/{id}?peerId=…`; undefined for anything else. */
export function parseTarget(url: string): DownloadTarget | undefined {
  const mark = url.indexOf('?');
  const [, prefix = '', taskId = ''] = PATH.exec(mark === -1 ? url : url.slice(0, mark)) ?? [];
  if (!isTaskId(taskId) || !taskId.startsWith(prefix)) return undefined;
  return { taskId, peerId: mark === -1 ? '' : parsePeerId(url.slice(mark + 1)) };
}

function parsePeerId(query: string): string {
  // Parsing a query in full costs more than the rest of the target.
  const peerId = PLAIN_QUERY.exec(query)?.[1] ?? new URLSearchParams(query).get('peerId') ?? '';
  return peerId.slice(0, MAX_PEER_ID_LENGTH);
}
