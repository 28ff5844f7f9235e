import { ClassicLevel } from 'classic-level';
import { openError } from './level-errors.js';

/** LevelDB is not opened more often than this after failed writes. */
const REOPEN_INTERVAL_MS = 1000;

type Work<T> = (db: ClassicLevel) => Promise<T>;

/** A LevelDB that recovers: once a flush of its has failed, LevelDB refuses every write until it is opened again. */
export class LevelDatabase {
  readonly #directory: string;
  readonly #db: ClassicLevel;
  #reopening: Promise<void> | undefined;
  #reopenedMs = Number.NEGATIVE_INFINITY;
  /** Why it could not be opened again; undefined while it is open. */
  #failure: Error | undefined;
  #closed = false;

  private constructor(directory: string) {
    this.#directory = directory;
    // Uncompressed, so that its checksums can be followed: see findBrokenTables.
    this.#db = new ClassicLevel(directory, { compression: false });
  }

  /** Opens it and runs `work`; whatever fails, it is closed again. @throws DfpeerError as {@link openError} says */
  static async open<T>(directory: string, work: Work<T>): Promise<{ database: LevelDatabase; result: T }> {
    const database = new LevelDatabase(directory);
    try {
      await database.#db.open();
      return { database, result: await work(database.#db) };
    } catch (error) {
      await database.close();
      throw openError(directory, error);
    }
  }

  /** `work` may run twice: the second time after LevelDB was opened again. */
  async write(work: Work<void>): Promise<void> {
    try {
      await work(this.#db);
    } catch (error) {
      await this.#reopen(error);
      await work(this.#db);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([this.#reopening]);
    await this.#db.close();
  }

  /** One at a time, for all writes that fail meanwhile. @throws the reason why writes fail when it is no use */
  async #reopen(reason: unknown): Promise<void> {
    if (this.#reopening === undefined) {
      const isTooEarly = performance.now() - this.#reopenedMs < REOPEN_INTERVAL_MS;
      if (this.#closed || isTooEarly) throw this.#failure ?? reason;
      this.#reopening = this.#closeAndOpen().finally(() => {
        this.#reopenedMs = performance.now();
        this.#reopening = undefined;
      });
    }
    await this.#reopening;
  }

  async #closeAndOpen(): Promise<void> {
    try {
      await this.#db.close();
      await this.#db.open();
      this.#failure = undefined;
    } catch (error) {
      throw (this.#failure = openError(this.#directory, error));
    }
  }
}
