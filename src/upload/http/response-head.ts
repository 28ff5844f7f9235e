import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AbortedError } from '../../core/errors.js';

/**
 * The bytes of a response's head, taken instead of written, so that they can go out together with the first bytes of
 * the body. Node keeps its own view: the head counts as sent, and `end()` ends the response.
 */
export function takeHead(response: ServerResponse, socket: Socket): Uint8Array {
  const parts: Buffer[] = [];
  const capture = (chunk: string | Uint8Array, encoding?: unknown): boolean => {
    parts.push(
      typeof chunk === 'string' ? Buffer.from(chunk, encoding === 'utf8' ? 'utf8' : 'latin1') : Buffer.from(chunk),
    );
    return true;
  };
  // An own property hides the prototype's write for the length of this synchronous call.
  Object.defineProperty(socket, 'write', { value: capture, configurable: true });
  try {
    response.flushHeaders();
  } finally {
    Reflect.deleteProperty(socket, 'write');
  }
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

/**
 * The socket of a response that has none yet: a pipelined request arrives while the one before is still being
 * answered, and gets it when that one is done. Rejects when the connection closes first.
 */
export async function assignedSocket(response: ServerResponse, connection: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => {
      response.off('socket', onSocket);
      reject(new AbortedError('a pipelined request'));
    };
    const onSocket = (socket: Socket): void => {
      connection.off('close', onClose);
      resolve(socket);
    };
    if (connection.destroyed) return onClose();
    connection.once('close', onClose);
    response.once('socket', onSocket);
  });
}
