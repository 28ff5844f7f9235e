import { DfpeerError, toDfpeerError } from '../../../core/errors.js';
import { abortReason } from '../../../core/deadline.js';
import type { Transfer } from '../transfer.js';
import type { AnswerReader, PieceAnswer } from './answer-reader.js';
import type { PieceConnection } from './piece-connection.js';

/**
 * Sends a request and feeds the answer to the reader, as fast as the transfer's budget permits. When it rejects, the
 * connection is destroyed; in every case the reader is closed, and nothing writes any more.
 * @throws what the reader throws; DFP_PARENT_UNREACHABLE when the connection breaks; the transfer's reason to abort
 */
export async function exchange(
  connection: PieceConnection,
  request: string | Uint8Array,
  reader: AnswerReader,
  transfer: Transfer,
): Promise<PieceAnswer> {
  try {
    const answer = await receive(connection, request, reader, transfer);
    await transfer.permitted(0);
    return answer;
  } catch (error) {
    connection.destroy();
    throw toDfpeerError(error, 'DFP_INTERNAL', transfer.waitingFor);
  } finally {
    connection.consumer = undefined;
    reader.close();
  }
}

function receive(
  connection: PieceConnection,
  request: string | Uint8Array,
  reader: AnswerReader,
  transfer: Transfer,
): Promise<PieceAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      connection.destroy();
      reject(toDfpeerError(error, 'DFP_INTERNAL', transfer.waitingFor));
    };
    const onAbort = (): void => fail(abortReason(transfer.signal, transfer.waitingFor));
    if (transfer.signal.aborted) return onAbort();
    transfer.signal.addEventListener('abort', onAbort, { once: true });
    connection.consumer = {
      onBytes(chunk) {
        try {
          const before = reader.pieceBytes;
          const answer = reader.read(chunk);
          const mayGoOn = transfer.received(reader.pieceBytes - before);
          // Before the body nobody knows how much will come: a refusal is short.
          const isInBody = answer === undefined && reader.pieceBytes > 0;
          connection.expect(chunk.length, isInBody ? reader.untilBlockEnd : 0);
          if (answer !== undefined) {
            transfer.signal.removeEventListener('abort', onAbort);
            connection.consumer = undefined;
            resolve(answer);
            return true;
          }
          if (mayGoOn) return true;
          transfer.permitted(reader.pieceLength - reader.pieceBytes).then(() => connection.resume(), fail);
          return false;
        } catch (error) {
          fail(error);
          return false;
        }
      },
      onEnd() {
        try {
          reader.end();
        } catch (error) {
          fail(error);
        }
      },
      onError: (cause) =>
        fail(
          new DfpeerError('DFP_PARENT_UNREACHABLE', `connection to ${transfer.waitingFor} broke: ${cause.message}`, {
            cause,
          }),
        ),
    };
    connection.write(request);
  });
}
