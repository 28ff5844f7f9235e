/** SIGHUPs of this process. From the first line on, and until its end: one that nobody listens to would end it. */
export class Hangups {
  #listener: (() => void) | undefined;
  #isPending = false;

  constructor() {
    process.on('SIGHUP', () => this.#onHangup());
  }

  /** Calls back for each, and at once when there was one before. */
  listen(listener: () => void): void {
    this.#listener = listener;
    if (this.#isPending) listener();
    this.#isPending = false;
  }

  /** There is nothing to reload any more. */
  ignore(): void {
    this.#listener = (): void => undefined;
  }

  #onHangup(): void {
    if (this.#listener === undefined) this.#isPending = true;
    else this.#listener();
  }
}
