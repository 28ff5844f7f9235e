import { constants } from 'node:os';

// Numbers of the Linux user-space ABI that x64 and arm64 share (include/uapi/asm-generic).

export const F_DUPFD_CLOEXEC = 1030;
export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;

export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
/** More follows at once: the kernel holds a partial segment back. */
export const MSG_MORE = 0x8000;

export const SHUT_RDWR = 2;

export const AF_UNIX = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

export const SOL_SOCKET = 1;
export const SO_PEERCRED = 17;
export const SO_RCVLOWAT = 18;
export const SO_MAX_PACING_RATE = 47;
export const IPPROTO_TCP = 6;
export const TCP_NOTSENT_LOWAT = 25;

export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
/** Report changes only: saves an epoll_ctl per wait. */
export const EPOLLET = 0x80000000;

export const POSIX_FADV_WILLNEED = 3;
export const POSIX_FADV_DONTNEED = 4;

/** mallopt's number in glibc. */
export const M_ARENA_MAX = -8;

/** `_IOW(0x94, 9, int)`. */
export const FICLONE = 0x40049409;

/** O_TMPFILE is this bit together with O_DIRECTORY, whose number differs between architectures. */
export const O_TMPFILE_BIT = 0o20000000;
export const AT_FDCWD = -100;
export const AT_SYMLINK_FOLLOW = 0x400;

/** Linux 6.5; the same number on every architecture. */
export const SYS_CACHESTAT = 451;
/** preadv2: fail with EAGAIN instead of reading from the disk. */
export const RWF_NOWAIT = 8;

export const { EAGAIN, EINTR, ENOSYS } = constants.errno;

/** CPUs that the struct layouts here hold for. */
export function isSupportedArch(arch: string): boolean {
  return arch === 'x64' || arch === 'arm64';
}

/** An array of `struct epoll_event`, which is packed to 12 bytes on x64 and 16 bytes elsewhere. */
export class EpollEvents {
  readonly bytes: Uint8Array;
  readonly capacity: number;
  readonly #view: DataView;
  readonly #size: number;
  readonly #dataOffset: number;

  constructor(capacity: number, arch: string = process.arch) {
    this.capacity = capacity;
    this.#size = arch === 'x64' ? 12 : 16;
    this.#dataOffset = arch === 'x64' ? 4 : 8;
    this.bytes = new Uint8Array(capacity * this.#size);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Fills in one event: a mask, and a 32-bit value that comes back with it. */
  set(index: number, events: number, data: number): void {
    this.#view.setUint32(index * this.#size, events, true);
    this.#view.setUint32(index * this.#size + this.#dataOffset, data, true);
  }

  events(index: number): number {
    return this.#view.getUint32(index * this.#size, true);
  }

  data(index: number): number {
    return this.#view.getUint32(index * this.#size + this.#dataOffset, true);
  }
}
