import { connect, type Socket } from 'node:net';
import { withDeadline } from '../../../src/core/deadline.js';
import { until } from '../../support/until.js';

const CLOSE_TIMEOUT_MS = 20_000;

/** A connection that reads nothing until told, and survives whatever the other side does. */
export function openRaw(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  return socket.pause();
}

export function openMany(port: number, count: number): Socket[] {
  return Array.from({ length: count }, () => openRaw(port));
}

/** Resolves with all that the server sent until it closed the connection; rejects when it keeps it. */
export async function readUntilClosed(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const waitingFor = 'the server to close the connection';
  if (!socket.destroyed) await withDeadline({ waitingFor, timeoutMs: CLOSE_TIMEOUT_MS }, () => closed);
  return Buffer.concat(chunks);
}

/** Sends and reads to the end. */
export async function exchange(port: number, bytes: string | Uint8Array): Promise<Buffer> {
  const socket = openRaw(port);
  socket.write(bytes);
  return readUntilClosed(socket);
}

export async function allClosed(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(sockets.map(readUntilClosed));
}

export function destroyAll(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.destroy();
}

/** Opens far more connections than the cap; resolves when all but those of the cap were closed. */
export async function flood(port: number, { cap, excess }: { cap: number; excess: number }): Promise<Socket[]> {
  const sockets = openMany(port, cap + excess);
  let closed = 0;
  for (const socket of sockets) socket.resume().once('close', () => closed++);
  await until(`${excess} connections to be closed`, async () => closed >= excess, CLOSE_TIMEOUT_MS);
  return sockets;
}
