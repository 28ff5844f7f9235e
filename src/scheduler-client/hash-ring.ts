import { isIPv4 } from 'node:net';
import { formatAddress, type SchedulerAddress } from './scheduler-address.js';
import { siphash24 } from './siphash.js';

/** Tasks are spread by this many leading characters of their id (docs/WIRE.md 1.3). */
const KEY_CHARACTERS = 5;

/** Where a scheduler stands on the ring (docs/WIRE.md 1.3). */
export function addressKey({ ip, port }: Pick<SchedulerAddress, 'ip' | 'port'>): bigint {
  const isV4 = isIPv4(ip);
  const octets = isV4 ? Uint8Array.from(ip.split('.'), Number) : ipv6Bytes(ip);
  // IPv6 ends with flow information and scope, both zero.
  const input = Buffer.alloc(8 + octets.length + 2 + (isV4 ? 0 : 8));
  input.writeUInt8(isV4 ? 0 : 1, 0);
  input.set(octets, 8);
  input.writeUInt16LE(port, 8 + octets.length);
  return siphash24(input);
}

/** Where a task stands on the ring. */
export function taskKey(taskId: string): bigint {
  return siphash24(Buffer.concat([Buffer.from(taskId.slice(0, KEY_CHARACTERS)), Buffer.of(0xff)]));
}

/** Which scheduler is responsible for a task. Every peer of a cluster computes the same, or they don't find each other. */
export class HashRing<Node extends Pick<SchedulerAddress, 'ip' | 'port'>> {
  readonly #entries: { key: bigint; node: Node }[];

  /** One point a node; nodes with the same address count once. */
  constructor(nodes: Iterable<Node>) {
    const distinct = new Map([...nodes].map((node) => [formatAddress(node), node]));
    this.#entries = [...distinct.values()].map((node) => ({ key: addressKey(node), node }));
    this.#entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Undefined when there is no node. */
  pick(taskId: string): Node | undefined {
    const key = taskKey(taskId);
    return (this.#entries.find((entry) => entry.key >= key) ?? this.#entries[0])?.node;
  }
}

/** The 16 bytes of an IPv6 address, with `::` and a dotted IPv4 tail expanded. */
function ipv6Bytes(ip: string): Uint8Array {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(ip);
  const [, head = '', a, b, c, d] = dotted ?? [];
  const hex = (high: string | undefined, low: string | undefined): string =>
    (Number(high) * 256 + Number(low)).toString(16);
  const text = dotted === null ? ip : `${head}${hex(a, b)}:${hex(c, d)}`;
  const [left = '', right] = text.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [front, back] = [groups(left), groups(right ?? '')];
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0');
  const bytes = Buffer.alloc(16);
  [...front, ...zeros, ...back].forEach((group, index) => bytes.writeUInt16BE(parseInt(group, 16), index * 2));
  return bytes;
}
