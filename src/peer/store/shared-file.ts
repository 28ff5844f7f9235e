import type { FileMark, OpenTaskFile } from './task-files.js';

/** One open file with many readers: closed when it is retired and the last reader has left. */
export class SharedFile {
  readonly #file: OpenTaskFile;
  #readers = 0;
  #retired = false;

  constructor(file: OpenTaskFile) {
    this.#file = file;
  }

  get fd(): number {
    return this.#file.fd;
  }

  get path(): string {
    return this.#file.path;
  }

  mark(): FileMark {
    return this.#file.mark();
  }

  acquire(): () => void {
    this.#readers++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#readers--;
      this.#closeIfUnused();
    };
  }

  /** Nobody new will come. */
  retire(): void {
    this.#retired = true;
    this.#closeIfUnused();
  }

  #closeIfUnused(): void {
    if (this.#retired && this.#readers === 0) this.#file.close();
  }
}
