import { constants, createReadStream, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { addAbortSignal, type Readable } from 'node:stream';
import { throwIfAborted } from '../core/deadline.js';
import { UsageError } from '../core/errors.js';

export interface InputBounds {
  /** For people: "the list". */
  what: string;
  maxBytes: number;
  /** Whoever writes a pipe may take for ever. */
  signal: AbortSignal;
}

/** A text that the user gives, from a file, a pipe or a device. @throws UsageError when it is too long; the signal's reason; what reading fails of */
export async function readInput(from: string | Readable, { what, maxBytes, signal }: InputBounds): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of addAbortSignal(signal, typeof from === 'string' ? openInput(from) : from)) {
      chunks.push(Buffer.from(chunk as Uint8Array));
      bytes += (chunk as Uint8Array).length;
      if (bytes > maxBytes) throw new UsageError(`${what} is longer than ${maxBytes} bytes`);
    }
  } catch (error) {
    throwIfAborted(signal, what);
    throw error;
  }
  return Buffer.concat(chunks).toString();
}

/** Of a pipe that has a name, without the thread that would wait for its writer, and keep the process from ending. */
function openInput(path: string): Readable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (!fstatSync(fd).isFIFO()) return createReadStream(path, { fd });
  return new Socket({ fd, readable: true, writable: false });
}
