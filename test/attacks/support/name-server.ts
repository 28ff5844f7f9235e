import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const DNS_PORT = 53;
const TYPE_A = 1;

export interface NameServer {
  readonly address: string;
  /** Questions for an IPv4 address so far. */
  readonly questions: number;
  close(): void;
}

/** Answers each question for an IPv4 address as told, not to be kept; for others there is nothing (RFC 1035). */
export async function nameServer(answer: (question: number) => string): Promise<NameServer> {
  const socket = createSocket('udp4');
  let questions = 0;
  socket.on('message', (query, from) => {
    // The name ends with an empty label; type and class follow.
    const end = query.indexOf(0, 12) + 5;
    const isForA = query.readUInt16BE(end - 4) === TYPE_A;
    const head = Buffer.from(query.subarray(0, end));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(isForA ? 1 : 0, 6);
    head.writeUInt16BE(0, 10);
    const record = isForA ? aRecord(answer(++questions)) : Buffer.alloc(0);
    socket.send(Buffer.concat([head, record]), from.port, from.address);
  });
  // resolv.conf names no port, so the address must be one that nobody else has.
  const address = `127.53.${1 + Math.floor(Math.random() * 250)}.${1 + Math.floor(Math.random() * 250)}`;
  socket.bind(DNS_PORT, address);
  await once(socket, 'listening');
  return {
    address,
    get questions() {
      return questions;
    },
    close: () => void socket.close(),
  };
}

/** A pointer to the name of the question, type A, class IN, no time to live. */
function aRecord(address: string): Buffer {
  return Buffer.concat([
    Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4]),
    Buffer.from(address.split('.').map(Number)),
  ]);
}
