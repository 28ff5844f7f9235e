import type { StoredPiece } from '../../core/piece.js';
import type { ToldRoute } from '../../core/told-route.js';
import type { ParentEndpoint } from '../fetch/piece-fetcher.js';

/** How a piece came from its parent. */
export interface Carriage {
  protocol: ParentEndpoint['protocol'];
  /** At the parent; undefined when it doesn't tell. */
  toldRoute: ToldRoute | undefined;
}

/** A piece with how it came, which clients are told and nobody keeps. */
export interface CollectedPiece extends StoredPiece {
  /** Undefined: from the origin. */
  carriage?: Carriage;
}

/** Bytes that came from one parent in one way. */
export interface CarriedBytes extends Partial<ToldRoute> {
  parentId: string;
  protocol: ParentEndpoint['protocol'];
  bytes: number;
}

/** Who sent how much, and how. Bounded by the parents of one download and the routes there are. */
export class CarriageBook {
  readonly #entries = new Map<string, CarriedBytes>();

  add(parentId: string, { protocol, toldRoute }: Carriage, bytes: number): void {
    const key = [parentId, protocol, toldRoute?.route, toldRoute?.reason].join(' ');
    const entry = this.#entries.get(key);
    if (entry === undefined) this.#entries.set(key, { parentId, protocol, ...toldRoute, bytes });
    else entry.bytes += bytes;
  }

  /** The largest first. */
  list(): CarriedBytes[] {
    return [...this.#entries.values()].sort((one, other) => other.bytes - one.bytes);
  }
}
