import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../../core/clock.js';
import { DfpeerError, toDfpeerError } from '../../core/errors.js';
import { VortexDecoder } from '../../vortex/decode.js';
import type { RequestPacket } from '../../vortex/packets.js';

/** What a client may send after its request before it is cut off; one request per connection is the rule. */
export const MAX_BYTES_AFTER_REQUEST = 64 * 1024;

/**
 * Reads the one request of a connection, and keeps reading and dropping after it: unread bytes would turn our close
 * into a reset and cost the client the end of its piece.
 * Resolves undefined when the client ends or breaks the connection first.
 * @throws DfpeerError DFP_INVALID_ARGUMENT, DFP_PARENT_PROTOCOL, or DFP_DEADLINE after `timeoutMs`.
 */
export async function readRequest(
  socket: Socket,
  firstBytes: Uint8Array,
  timeoutMs: number,
  clock: Clock = systemClock,
): Promise<RequestPacket | undefined> {
  const decoder = new VortexDecoder();
  return new Promise((resolve, reject) => {
    const settle = (request: RequestPacket | undefined): void => (cancel(), socket.off('end', onEnd), resolve(request));
    const fail = (error: DfpeerError): void => (cancel(), socket.off('data', onData), reject(error));
    const onEnd = (): void => settle(undefined);
    const onData = (chunk: Uint8Array): void => {
      try {
        decoder.push(chunk);
        const packet = decoder.next();
        if (packet === undefined) return;
        if (packet.kind !== 'request')
          throw new DfpeerError('DFP_INVALID_ARGUMENT', `a vortex ${packet.kind}, not a request`);
        socket.off('data', onData);
        dropTheRest(socket);
        settle(packet);
      } catch (thrown) {
        fail(toDfpeerError(thrown));
      }
    };
    const cancel = clock.after(timeoutMs, () =>
      fail(new DfpeerError('DFP_DEADLINE', `no vortex request within ${timeoutMs} ms`)),
    );
    socket.on('data', onData);
    socket.once('end', onEnd);
    socket.once('close', onEnd);
    if (firstBytes.length > 0) onData(firstBytes);
    socket.resume();
  });
}

function dropTheRest(socket: Socket): void {
  let dropped = 0;
  socket.on('data', (chunk: Uint8Array) => {
    dropped += chunk.length;
    if (dropped > MAX_BYTES_AFTER_REQUEST) socket.destroy();
  });
}
