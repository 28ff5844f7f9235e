import { constants } from 'node:os';
import { NativeError } from './errors.js';

const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The errno's name ("EPIPE"), or "E<number>" for one that this platform has no name for. */
export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `E${errno}`;
}

/** A system call that failed: `code` is the errno's name, like Node's own system errors. */
export class SyscallError extends NativeError {
  /** Positive errno. */
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number, doing?: string) {
    const code = errnoName(errno);
    super(code, `${syscall} failed with ${code}${doing === undefined ? '' : ` while ${doing}`}`);
    this.name = 'SyscallError';
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** Passes the result of a libc.ts call through; throws for a negative one, which is `-errno`. */
export function checked(syscall: string, result: number, doing?: string): number {
  if (result < 0) throw new SyscallError(syscall, -result, doing);
  return result;
}
