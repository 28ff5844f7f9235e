import { createSecureContext, type SecureContext } from 'node:tls';
import { type Clock, systemClock } from '../../../core/clock.js';
import { type AuthorityFiles, readAuthorities, stateOf } from './authority-files.js';

/** A file that has changed counts after this long at most. */
export const AUTHORITIES_CHECK_INTERVAL_MS = 60_000;

/** Whom https trusts: read when the first one asks, 45 ms for 144 authorities, and again when a file has changed. */
export class TrustedAuthorities {
  readonly #files: AuthorityFiles;
  readonly #onTrouble: (message: string) => void;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #context: SecureContext | undefined;
  #state: string | undefined;
  #checkAtMs = -Infinity;

  constructor(
    files: AuthorityFiles,
    onTrouble: (message: string) => void,
    clock: Pick<Clock, 'monotonicMs'> = systemClock,
  ) {
    this.#files = files;
    this.#onTrouble = onTrouble;
    this.#clock = clock;
  }

  /** For tls.connect; the same object until a file has changed. Made once: from the list itself, each connection would take as long. */
  get context(): SecureContext {
    const nowMs = this.#clock.monotonicMs();
    if (this.#context !== undefined && nowMs < this.#checkAtMs) return this.#context;
    this.#checkAtMs = nowMs + AUTHORITIES_CHECK_INTERVAL_MS;
    const state = stateOf(this.#files);
    if (this.#context === undefined || state !== this.#state) this.#context = this.#load(state);
    return this.#context;
  }

  #load(state: string): SecureContext {
    this.#state = state;
    const { list, additional } = readAuthorities(this.#files, (message) => {
      // To be tried again: not all trouble shows in the file's state.
      this.#state = undefined;
      this.#onTrouble(message);
    });
    return createSecureContext({ ca: [...list, ...additional] });
  }
}
