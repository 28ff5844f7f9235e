import { isSameMark, type FileMark } from './task-files.js';

/**
 * Whether a data file is still what was verified, by size, time of modification and inode: an output that is a hard link to it may have
 * been edited.
 */
export class UntouchedFile {
  readonly #look: () => Promise<FileMark | undefined>;
  #known: Promise<FileMark | undefined> | FileMark | undefined;

  /** @param known how it looked when it was last known good */
  constructor(look: () => Promise<FileMark | undefined>, known: FileMark | undefined) {
    this.#look = look;
    this.#known = known;
  }

  /** As it is now it is good. Looked at before this returns for the first time; undefined when there is no such file. */
  async accept(): Promise<FileMark | undefined> {
    const looked = this.#look();
    this.#known = looked;
    try {
      return (this.#known = await looked);
    } catch (error) {
      this.#known = undefined;
      throw error;
    }
  }

  async isUntouched(): Promise<boolean> {
    return isSameMark(await this.#known, await this.#look());
  }

  /** The same for a mark at hand; true as well in the moment before the file was first looked at. */
  isUntouchedBy(found: FileMark): boolean {
    return this.#known instanceof Promise || isSameMark(this.#known, found);
  }
}
