import type { EpollEvents } from './linux-abi.js';

/** Memory handed to a syscall. Typed arrays over a SharedArrayBuffer will do. */
export type Memory = Uint8Array | Int32Array | Uint32Array | BigUint64Array | BigInt64Array;

/** A watcher on a descriptor, on the event loop of the thread that made it. */
export interface FdWatcher {
  ref(): void;
  unref(): void;
  close(): void;
}

/** Typed system calls. Each returns what the kernel does, or `-errno`; none throws. Offsets and counts are bytes. */
export interface Libc {
  read(fd: number, bytes: Memory, count: number): number;
  write(fd: number, bytes: Memory, count: number): number;
  close(fd: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  eventfd(initial: number, flags: number): number;

  /** Copies from `input` at `offset` to `output` without user space; 0 is the end of the file. */
  sendfile(output: number, input: number, offset: number, count: number): number;
  send(fd: number, bytes: Uint8Array, count: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  /** A new socket's descriptor. */
  socket(domain: number, type: number): number;
  /** `address` is the `struct sockaddr` of the socket's domain. */
  connect(fd: number, address: Uint8Array): number;
  getSocketOption(fd: number, level: number, name: number, value: Memory, length: Uint32Array): number;
  setSocketOption(fd: number, level: number, name: number, value: Memory, length: number): number;

  epollCreate(flags: number): number;
  /** Adds, changes or removes interest in `fd`, as `event`'s first record says. */
  epollControl(epoll: number, operation: number, fd: number, event: EpollEvents): number;
  /** The number of events; `timeoutMs` -1 waits for ever. Blocks the thread. */
  epollWait(epoll: number, events: EpollEvents, timeoutMs: number): number;

  readonly pageSize: number;
  fadvise(fd: number, offset: number, length: number, advice: number): number;
  /** How many pages of the range are in the page cache (cachestat, Linux 6.5). */
  cachedPages(fd: number, offset: number, length: number): number;
  /** Reads one byte at the offset under preadv2's flags. */
  readByte(fd: number, offset: number, flags: number): number;
  /** Runs in libuv's thread pool. */
  ioctlAsync(fd: number, request: number, argument: number): Promise<number>;
  /** Runs in libuv's thread pool. Takes explicit offsets; the descriptors' own positions are not touched. */
  copyFileRangeAsync(from: number, fromOffset: number, to: number, toOffset: number, count: number): Promise<number>;
  /** Runs in libuv's thread pool. */
  linkatAsync(fromDirectory: number, from: string, toDirectory: number, to: string, flags: number): Promise<number>;

  /** 1 when the allocator gave memory back to the system, 0 when there was none to give; glibc only. */
  trimMalloc(keptBytes: number): number;
  /** 1 when the option was set; glibc only. */
  setMallocOption(option: number, value: number): number;

  /** Calls back while the descriptor is readable. Never a socket's own descriptor: libuv aborts the process. */
  watchReadable(fd: number, callback: () => void): FdWatcher;
}
