import { AbortedError } from '../core/errors.js';
import { EXIT_CODES } from './exit-codes.js';

const EXIT_CODE_OF_SIGNAL = {
  SIGINT: EXIT_CODES.interrupted,
  SIGTERM: EXIT_CODES.terminated,
  SIGHUP: EXIT_CODES.hungUp,
} as const;

/** SIGINT, SIGTERM, and SIGHUP of a terminal that is closed: the first one ends downloads in good order, a second one the process at once. */
export class Interruption {
  readonly #controller = new AbortController();
  #exitCode: number | undefined;

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => this.#on(signal));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** As a shell sees it: 128 and the signal's number. Undefined: nothing came. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /**
   * Ends the process once what was reported is out, whoever else still waits: a reader of stdout may take nothing more. A process that ends by
   * itself lets go of its signals first, so that a second hang-up would kill it. Nothing happens where nothing came.
   */
  endProcess(reported: NodeJS.WritableStream): void {
    const exitCode = this.#exitCode;
    if (exitCode !== undefined) reported.write('', () => process.exit(exitCode));
  }

  #on(signal: keyof typeof EXIT_CODE_OF_SIGNAL): void {
    const exitCode = EXIT_CODE_OF_SIGNAL[signal];
    if (this.#exitCode !== undefined) {
      // A terminal that is closed sends one, and its shell another: nobody is in a hurry.
      if (signal === 'SIGHUP') return;
      process.exit(exitCode);
    }
    this.#exitCode = exitCode;
    this.#controller.abort(new AbortedError('the download'));
  }
}
