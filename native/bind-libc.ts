import type { FdWatcher, Libc, Memory } from './libc.js';
import { ENOSYS, SYS_CACHESTAT } from './linux-abi.js';

/** The foreign-function interface as far as it is used here, so that another one could take koffi's place. */
export interface CLibrary {
  /** A synchronous call; its function returns the raw result. Throws when the C library has no such symbol. */
  declare(name: string, result: CType, args: CType[]): ForeignCall;
  /** The same in libuv's thread pool, with -errno for a result of -1. */
  declareAsync(name: string, result: CType, args: CType[]): (...values: Parameters<ForeignCall>) => Promise<number>;
  /** -errno for -1; to be asked right after the call. */
  orErrno(result: number): number;
  address(memory: Memory): bigint;
  watchReadable(fd: number, callback: () => void): FdWatcher;
}

export type ForeignCall = (...values: (number | Memory)[]) => number;

type CType = 'int' | 'uint' | 'ulong' | 'int64_t' | 'size_t' | 'void *';

const IO: CType[] = ['int', 'void *', 'size_t'];
const OPTION: CType[] = ['int', 'int', 'int', 'void *'];

/** Binds every call; throws when one that can't be missed is missing. */
export function bindLibc(c: CLibrary): Libc {
  return {
    ...bindDescriptors(c),
    ...bindSockets(c),
    ...bindEpoll(c),
    ...bindPageCache(c),
    ...bindFileCopies(c),
    ...bindMemory(c),
  };
}

function bindDescriptors(c: CLibrary): Pick<Libc, 'read' | 'write' | 'close' | 'fcntl' | 'eventfd' | 'watchReadable'> {
  const { orErrno } = c;
  const read: Libc['read'] = c.declare('read', 'int64_t', IO);
  const write: Libc['write'] = c.declare('write', 'int64_t', IO);
  const close: Libc['close'] = c.declare('close', 'int', ['int']);
  // Variadic in C; both supported ABIs pass integers to a variadic function as to any other.
  const fcntl: Libc['fcntl'] = c.declare('fcntl', 'int', ['int', 'int', 'int']);
  const eventfd: Libc['eventfd'] = c.declare('eventfd', 'int', ['uint', 'int']);
  return {
    read: (fd, bytes, count) => orErrno(read(fd, bytes, count)),
    write: (fd, bytes, count) => orErrno(write(fd, bytes, count)),
    close: (fd) => orErrno(close(fd)),
    fcntl: (fd, command, argument) => orErrno(fcntl(fd, command, argument)),
    eventfd: (initial, flags) => orErrno(eventfd(initial, flags)),
    watchReadable: (fd, callback) => c.watchReadable(fd, callback),
  };
}

function bindSockets(
  c: CLibrary,
): Pick<Libc, 'sendfile' | 'send' | 'shutdown' | 'socket' | 'connect' | 'getSocketOption' | 'setSocketOption'> {
  const { orErrno } = c;
  // Plain sendfile has a 64-bit offset on both CPUs, and musl hides the name sendfile64.
  const sendfile: (output: number, input: number, offset: BigInt64Array, count: number) => number = c.declare(
    'sendfile',
    'int64_t',
    ['int', 'int', 'void *', 'size_t'],
  );
  const send: Libc['send'] = c.declare('send', 'int64_t', [...IO, 'int']);
  const shutdown: Libc['shutdown'] = c.declare('shutdown', 'int', ['int', 'int']);
  const socket: (domain: number, type: number, protocol: number) => number = c.declare('socket', 'int', [
    'int',
    'int',
    'int',
  ]);
  const connect: (fd: number, address: Uint8Array, length: number) => number = c.declare('connect', 'int', [
    'int',
    'void *',
    'uint',
  ]);
  const getOption: Libc['getSocketOption'] = c.declare('getsockopt', 'int', [...OPTION, 'void *']);
  const setOption: Libc['setSocketOption'] = c.declare('setsockopt', 'int', [...OPTION, 'uint']);
  const offsetCell = new BigInt64Array(1);
  return {
    sendfile(output, input, offset, count) {
      offsetCell[0] = BigInt(offset);
      return orErrno(sendfile(output, input, offsetCell, count));
    },
    send: (fd, bytes, count, flags) => orErrno(send(fd, bytes, count, flags)),
    shutdown: (fd, how) => orErrno(shutdown(fd, how)),
    socket: (domain, type) => orErrno(socket(domain, type, 0)),
    connect: (fd, address) => orErrno(connect(fd, address, address.length)),
    getSocketOption: (fd, level, name, value, length) => orErrno(getOption(fd, level, name, value, length)),
    setSocketOption: (fd, level, name, value, length) => orErrno(setOption(fd, level, name, value, length)),
  };
}

function bindEpoll(c: CLibrary): Pick<Libc, 'epollCreate' | 'epollControl' | 'epollWait'> {
  const { orErrno } = c;
  const create: Libc['epollCreate'] = c.declare('epoll_create1', 'int', ['int']);
  const control: (epoll: number, operation: number, fd: number, event: Uint8Array) => number = c.declare(
    'epoll_ctl',
    'int',
    ['int', 'int', 'int', 'void *'],
  );
  const wait: (epoll: number, events: Uint8Array, capacity: number, timeoutMs: number) => number = c.declare(
    'epoll_wait',
    'int',
    ['int', 'void *', 'int', 'int'],
  );
  return {
    epollCreate: (flags) => orErrno(create(flags)),
    epollControl: (epoll, operation, fd, event) => orErrno(control(epoll, operation, fd, event.bytes)),
    epollWait: (epoll, events, timeoutMs) => orErrno(wait(epoll, events.bytes, events.capacity, timeoutMs)),
  };
}

function bindMemory(c: CLibrary): Pick<Libc, 'trimMalloc' | 'setMallocOption'> {
  const trim = declareOptional(c, 'malloc_trim', 'int', ['size_t']);
  const setOption = declareOptional(c, 'mallopt', 'int', ['int', 'int']);
  return {
    trimMalloc: (keptBytes) => trim?.(keptBytes) ?? 0,
    setMallocOption: (option, value) => setOption?.(option, value) ?? 0,
  };
}

function bindPageCache(c: CLibrary): Pick<Libc, 'pageSize' | 'fadvise' | 'cachedPages' | 'readByte'> {
  const { orErrno } = c;
  const fadvise: Libc['fadvise'] = c.declare('posix_fadvise', 'int', ['int', 'int64_t', 'int64_t', 'int']);
  const cachestat: (
    number: number,
    fd: number,
    range: BigUint64Array,
    statistics: BigUint64Array,
    flags: number,
  ) => number = c.declare('syscall', 'int64_t', ['int64_t', 'int', 'void *', 'void *', 'uint']);
  const preadv2 = declareOptional(c, 'preadv2', 'int64_t', ['int', 'void *', 'int', 'int64_t', 'int']);
  const range = new BigUint64Array(2);
  const statistics = new BigUint64Array(5);
  const byte = new Uint8Array(1);
  // Holding `byte` here keeps the memory that the vector points to.
  const oneByte = { byte, vector: new BigUint64Array([c.address(byte), 1n]) };
  const getPageSize: () => number = c.declare('getpagesize', 'int', []);
  return {
    pageSize: getPageSize(),
    fadvise: (fd, offset, length, advice) => 0 - fadvise(fd, offset, length, advice),
    cachedPages(fd, offset, length) {
      range[0] = BigInt(offset);
      range[1] = BigInt(length);
      const result = orErrno(cachestat(SYS_CACHESTAT, fd, range, statistics, 0));
      return result < 0 ? result : Number(statistics[0]);
    },
    readByte: (fd, offset, flags) =>
      preadv2 === undefined ? -ENOSYS : orErrno(preadv2(fd, oneByte.vector, 1, offset, flags)),
  };
}

function bindFileCopies(c: CLibrary): Pick<Libc, 'ioctlAsync' | 'copyFileRangeAsync' | 'linkatAsync'> {
  const ioctl = c.declareAsync('ioctl', 'int', ['int', 'ulong', 'int']);
  const copyFileRange = c.declareAsync('copy_file_range', 'int64_t', [
    'int',
    'void *',
    'int',
    'void *',
    'size_t',
    'uint',
  ]);
  const linkat = c.declareAsync('linkat', 'int', ['int', 'void *', 'int', 'void *', 'int']);
  return {
    ioctlAsync: (fd, request, argument) => ioctl(fd, request, argument),
    copyFileRangeAsync: (from, fromOffset, to, toOffset, count) =>
      copyFileRange(from, new BigInt64Array([BigInt(fromOffset)]), to, new BigInt64Array([BigInt(toOffset)]), count, 0),
    linkatAsync: (fromDirectory, from, toDirectory, to, flags) =>
      linkat(fromDirectory, Buffer.from(`${from}\0`), toDirectory, Buffer.from(`${to}\0`), flags),
  };
}

/** For symbols that older C libraries lack. */
function declareOptional(c: CLibrary, name: string, result: CType, args: CType[]): ForeignCall | undefined {
  try {
    return c.declare(name, result, args);
  } catch {
    return undefined;
  }
}
