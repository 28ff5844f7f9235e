import { MAX_HEAD_BYTES, SyscallError, type SendFileResult, type TransferEngine } from '../../../native/index.js';
import { DfpeerError, toDfpeerError } from '../../core/errors.js';
import { takeLease } from './lease.js';
import type { Segment, SegmentEnd } from './segment.js';
import { drained, writeAll } from './socket.js';

/** What a paced quantum asks of the limiter at most: a lease of 50 a second at 10 GiB/s fits in. */
export const MAX_PACED_QUANTUM_BYTES = 64 * 1024 * 1024;

/**
 * A lease up to this goes out on the main thread where it can: waking a worker for each, and being woken by it, costs more than the
 * millisecond that sending it takes.
 */
export const MAX_PACED_INLINE_BYTES = 4 * 1024 * 1024;

/** sendfile for the whole segment at once. Never rejects. */
export async function runSendfile(engine: TransferEngine, segment: Segment): Promise<SegmentEnd> {
  if (!isReady(segment)) await prepareSocket(segment);
  if (segment.interrupted) return { kind: 'interrupted' };
  const result = await sendOnce(engine, segment, segment.left);
  return result instanceof Error ? { kind: 'engine-failed', error: result } : segmentEnd(result);
}

/** sendfile in quanta of what the limiter grants. Never rejects. */
export async function runPaced(engine: TransferEngine, segment: Segment): Promise<SegmentEnd> {
  if (!isReady(segment)) await prepareSocket(segment);
  while (segment.left > 0) {
    const lease = await takeLease(segment, Math.min(segment.left, MAX_PACED_QUANTUM_BYTES), 'large');
    if (typeof lease !== 'number') return lease;
    if (segment.interrupted) {
      segment.budget?.giveBack(lease);
      return { kind: 'interrupted' };
    }
    const result = await sendOnce(engine, segment, lease, MAX_PACED_INLINE_BYTES);
    if (result instanceof Error) {
      segment.budget?.giveBack(lease);
      return { kind: 'engine-failed', error: result };
    }
    if (result.bytesSent < lease) segment.budget?.giveBack(lease - result.bytesSent);
    if (result.outcome !== 'complete') return segmentEnd(result);
  }
  return { kind: 'complete' };
}

/** Nothing of ours may be in the socket's own buffer when the engine starts, or the order would be lost. */
function isReady({ socket, head }: Segment): boolean {
  return socket.writableLength === 0 && head.length <= MAX_HEAD_BYTES;
}

async function prepareSocket(segment: Segment): Promise<void> {
  const { socket, head } = segment;
  // The engine takes no longer one: it goes out on its own first.
  if (head.length > MAX_HEAD_BYTES && (await writeAll(socket, head))) segment.movedHead(head.length);
  await drained(socket);
}

/** An error: the engine did not even start. */
async function sendOnce(
  engine: TransferEngine,
  segment: Segment,
  length: number,
  inlineBytes?: number,
): Promise<SendFileResult | Error> {
  const { socket, file, offset, head } = segment;
  try {
    const transfer = engine.start(socket, file, {
      offset,
      length,
      ...(head.length > 0 ? { head } : {}),
      ...(inlineBytes === undefined ? {} : { inlineBytes }),
    });
    segment.onInterrupt = () => transfer.stop();
    segment.inFlight = () => transfer.bytesSent;
    const result = await transfer.done;
    segment.onInterrupt = undefined;
    segment.inFlight = undefined;
    if (result.headBytesSent > 0) segment.movedHead(result.headBytesSent);
    segment.moved(result.bytesSent);
    return result;
  } catch (thrown) {
    return toDfpeerError(thrown, 'DFP_INTERNAL', 'starting sendfile');
  }
}

/** Others, of duplicating the socket or of starting a worker, say nothing about file and socket: EMFILE, for one. */
function isRefusedBySendfile(error: Error): boolean {
  return error instanceof SyscallError && (error.syscall === 'send' || error.syscall === 'sendfile');
}

function segmentEnd(result: SendFileResult): SegmentEnd {
  switch (result.outcome) {
    case 'complete':
      return { kind: 'complete' };
    case 'stopped':
      return { kind: 'interrupted' };
    case 'closed':
      return { kind: 'closed' };
    case 'unsupported':
      return result.error === undefined || isRefusedBySendfile(result.error)
        ? { kind: 'unsupported' }
        : { kind: 'engine-failed', error: result.error };
    case 'failed':
      // Only a syscall's own error leaves the count of bytes exact; a dead worker may have sent more than it told.
      return result.error instanceof SyscallError
        ? { kind: 'engine-failed', error: result.error }
        : { kind: 'broken', error: result.error ?? new DfpeerError('DFP_INTERNAL', 'the transfer engine failed') };
    case 'truncated':
      return {
        kind: 'file-error',
        error: new DfpeerError('DFP_STORE_IO', 'a stored task ended before the range that was asked for'),
      };
  }
}
