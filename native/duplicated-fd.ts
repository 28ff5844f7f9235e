import type { Libc } from './libc.js';
import { F_DUPFD_CLOEXEC, SHUT_RDWR } from './linux-abi.js';
import { checked } from './syscall-error.js';

/**
 * A second descriptor of an open socket, ours alone: its number stays valid whatever the socket's owner does with the
 * first one. Closed exactly once, however often close() is called.
 */
export class DuplicatedFd {
  readonly #libc: Libc;
  #fd: number;

  /** @throws SyscallError of fcntl (EMFILE, EBADF) */
  constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = checked('fcntl', libc.fcntl(fd, F_DUPFD_CLOEXEC, 0), 'duplicating a socket');
  }

  /** The number, or -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Ends the connection for both descriptors, so that whoever waits for it wakes up. */
  shutdown(): void {
    if (this.#fd !== -1) this.#libc.shutdown(this.#fd, SHUT_RDWR);
  }

  close(): void {
    const fd = this.#fd;
    this.#fd = -1;
    // Linux frees the number even when close(2) fails, so there is nothing to repeat.
    if (fd !== -1) this.#libc.close(fd);
  }
}
