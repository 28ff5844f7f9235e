import type { ToldPiece } from './daemon-call/download-messages.js';

/** What came from one source over the network. Lengths in bytes, durations in milliseconds. */
export interface PeerShare {
  /** Undefined: the origin. */
  peerId: string | undefined;
  bytes: number;
  pieces: number;
  /** The sum of its pieces' times; several are under way at once. */
  busyMs: number;
}

/** Who gave what. Bounded by the parents of one download. */
export class SourceLedger {
  readonly #shares = new Map<string | undefined, PeerShare>();

  add({ parentId, length, costMs }: Pick<ToldPiece, 'parentId' | 'length' | 'costMs'>): void {
    const peerId = parentId === '' ? undefined : parentId;
    const share = this.#shares.get(peerId) ?? { peerId, bytes: 0, pieces: 0, busyMs: 0 };
    share.bytes += length;
    share.pieces++;
    share.busyMs += costMs;
    this.#shares.set(peerId, share);
  }

  clear(): void {
    this.#shares.clear();
  }

  /** The largest first. */
  shares(): PeerShare[] {
    return [...this.#shares.values()].sort((one, other) => other.bytes - one.bytes);
  }
}

/** Bytes per second of a single piece from this source, on average; undefined when its pieces took no time. */
export function pieceRate({ bytes, busyMs }: PeerShare): number | undefined {
  return busyMs > 0 ? (bytes / busyMs) * 1000 : undefined;
}

/** `<ip>-<hostname>-<uuid>`, with or without -seed, is a peer of the host `<ip>-<hostname>` (docs/WIRE.md 5.4). */
export function hostOfPeer(peerId: string): string {
  return peerId.replace(/-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=-seed$|$)/, '');
}
