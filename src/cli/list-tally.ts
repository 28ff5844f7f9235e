import type { DownloadProgress } from './download-client.js';

/** How far a list of downloads is, all of them together. */
export interface ListProgress {
  files: number;
  /** Done or failed. */
  ended: number;
  failed: number;
  bytes: number;
  bytesBySource: DownloadProgress['bytesBySource'];
  /** Undefined while some have not begun, or nobody knows how long they are. */
  bytesLeft: number | undefined;
  /** 0 to 1: every file counts the same, whatever its length. */
  share: number;
}

type Count = Pick<DownloadProgress, 'bytes' | 'wantedBytes' | 'bytesBySource'>;

/** Adds up the downloads of a list. */
export class ListTally {
  readonly #files: number;
  /** By their place in the list; those that have begun and are not over. Bounded by `--jobs`. */
  readonly #running = new Map<number, Count>();
  readonly #over = { bytes: 0, origin: 0, peers: 0, local: 0 };
  #ended = 0;
  #failed = 0;

  constructor(files: number) {
    this.#files = files;
  }

  moved(index: number, { bytes, wantedBytes, bytesBySource }: Count): void {
    this.#running.set(index, { bytes, wantedBytes, bytesBySource: { ...bytesBySource } });
  }

  ended(index: number, outcome: 'done' | 'failed'): void {
    const last = this.#running.get(index);
    this.#running.delete(index);
    this.#ended++;
    if (outcome === 'failed') this.#failed++;
    if (last === undefined) return;
    const { origin, peers, local } = last.bytesBySource;
    this.#over.bytes += last.bytes;
    this.#over.origin += origin;
    this.#over.peers += peers;
    this.#over.local += local;
  }

  get progress(): ListProgress {
    let { bytes, origin, peers, local } = this.#over;
    let parts = 0;
    let left: number | undefined = 0;
    for (const each of this.#running.values()) {
      bytes += each.bytes;
      origin += each.bytesBySource.origin;
      peers += each.bytesBySource.peers;
      local += each.bytesBySource.local;
      const { wantedBytes } = each;
      left = left === undefined || wantedBytes === undefined ? undefined : left + wantedBytes - each.bytes;
      parts += wantedBytes === undefined || wantedBytes === 0 ? 0 : each.bytes / wantedBytes;
    }
    return {
      files: this.#files,
      ended: this.#ended,
      failed: this.#failed,
      bytes,
      bytesBySource: { origin, peers, local },
      bytesLeft: this.#ended + this.#running.size < this.#files ? undefined : left,
      share: this.#files === 0 ? 1 : (this.#ended + parts) / this.#files,
    };
  }
}
