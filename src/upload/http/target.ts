import { type TaskId, isTaskId } from '../../core/task-id.js';

export interface DownloadTarget {
  taskId: TaskId;
  /** Empty when the child didn't say. */
  peerId: string;
  /** A child's `PieceSet`: the pieces that it has or has asked for. Empty when it didn't say. */
  holds: string;
}

const PATH = /^\/download\/([0-9a-f]{3})\/([0-9a-f]{64})$/;
/** The parameters, in characters that stand for themselves. */
const PLAIN_QUERY = /^peerId=([\w.~-]*)(?:&holds=([\w-]*))?$/;
/** What is kept of a peer id: it only goes into logs and the live view. */
const MAX_PEER_ID_LENGTH = 255;

/** `/download/{id[0:3]}/{id}?peerId=…&holds=…`; undefined for anything else. */
export function parseTarget(url: string): DownloadTarget | undefined {
  const mark = url.indexOf('?');
  const [, prefix = '', taskId = ''] = PATH.exec(mark === -1 ? url : url.slice(0, mark)) ?? [];
  if (!isTaskId(taskId) || !taskId.startsWith(prefix)) return undefined;
  return { taskId, ...(mark === -1 ? { peerId: '', holds: '' } : parseQuery(url.slice(mark + 1))) };
}

function parseQuery(query: string): Omit<DownloadTarget, 'taskId'> {
  const plain = PLAIN_QUERY.exec(query);
  // Parsing a query in full costs more than the rest of the target.
  const parsed = plain === null ? new URLSearchParams(query) : undefined;
  const peerId = plain?.[1] ?? parsed?.get('peerId') ?? '';
  return { peerId: peerId.slice(0, MAX_PEER_ID_LENGTH), holds: plain?.[2] ?? parsed?.get('holds') ?? '' };
}
