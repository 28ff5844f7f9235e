import { UsageError } from '../../core/errors.js';
import type { ByteRange, PieceLayout, PieceSlice } from '../../core/piece.js';
import type { DownloadRequest } from './download-request.js';

/** Ranges that one download keeps apart; with more it fetches everything. */
export const MAX_WANTED_RANGES = 4096;

type RangeOf = NonNullable<DownloadRequest['range']>;

/** What the clients of a download want of its task; it may grow while the download runs. */
export class Wanted {
  readonly #ranges: RangeOf[] = [];
  #all = false;
  #mayUseOrigin = false;

  add({ range, disableBackToSource }: Pick<DownloadRequest, 'range' | 'disableBackToSource'>): void {
    if (range === undefined || this.#ranges.length === MAX_WANTED_RANGES) this.#all = true;
    else this.#ranges.push(range);
    if (!disableBackToSource) this.#mayUseOrigin = true;
  }

  /** One client that allows it is enough: the origin is asked for its sake. */
  get mayUseOrigin(): boolean {
    return this.#mayUseOrigin;
  }

  slices(layout: PieceLayout): PieceSlice[] {
    if (this.#all) return layout.all();
    return this.#ranges.flatMap((range) => {
      const resolved = resolveRange(range, layout.contentLength);
      return resolved === undefined ? [] : layout.covering(resolved);
    });
  }

  /** What a scheduler is told of the range; undefined: everything. */
  firstRange(contentLength: number): ByteRange | undefined {
    const [first] = this.#ranges;
    return this.#all || first === undefined ? undefined : resolveRange(first, contentLength);
  }
}

/** One client's range that does not fit the content is its own concern, not that of the others: nothing is wanted for it. */
function resolveRange(range: RangeOf, contentLength: number): ByteRange | undefined {
  try {
    return range(contentLength);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}
