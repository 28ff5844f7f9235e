import type { Libc } from './libc.js';

const ONE = new BigUint64Array([1n]);

/**
 * Wakes a thread that may be asleep on an eventfd, and spares the syscall when it is not. The sleeper arms, looks for
 * work once more, sleeps, and disarms; whoever has work for it calls signal().
 */
export class WakeUp {
  readonly eventFd: number;
  readonly #libc: Libc;
  readonly #flags: Int32Array;
  readonly #index: number;
  readonly #counter = new BigUint64Array(1);

  /** `flags[index]`, in shared memory, says whether the sleeper is armed. */
  constructor(libc: Libc, eventFd: number, flags: Int32Array, index: number) {
    this.eventFd = eventFd;
    this.#libc = libc;
    this.#flags = flags;
    this.#index = index;
  }

  arm(): void {
    Atomics.store(this.#flags, this.#index, 1);
  }

  disarm(): void {
    Atomics.store(this.#flags, this.#index, 0);
  }

  signal(): void {
    if (Atomics.exchange(this.#flags, this.#index, 0) === 1) this.#libc.write(this.eventFd, ONE, 8);
  }

  /** Resets the eventfd after it woke us. */
  drain(): void {
    this.#libc.read(this.eventFd, this.#counter, 8);
  }
}
