import type { Socket } from 'node:net';
import { SendFileEngine } from './engine.js';
import { EngineError } from './errors.js';
import { nativeSupport } from './load-libc.js';
import type { SendFileOptions, SendFileResult, TransferFile } from './transfer.js';

let shared: SendFileEngine | undefined;

/**
 * Sends a range of an open file to a socket by sendfile(2), through an engine that the whole process shares and that
 * ends with it. Where there is no sendfile the outcome is `unsupported`, with the reason as its error: nothing was sent.
 * @throws RangeError, EngineError ERR_SOCKET_BUSY (as a rejection): see TransferEngine.start
 */
export async function sendFile(socket: Socket, file: TransferFile, options: SendFileOptions): Promise<SendFileResult> {
  const support = nativeSupport();
  if (!support.available) {
    const error = new EngineError('ERR_NATIVE_UNAVAILABLE', support.reason);
    return { bytesSent: 0, headBytesSent: 0, outcome: 'unsupported', error };
  }
  shared ??= new SendFileEngine();
  return shared.sendFile(socket, file, options);
}
