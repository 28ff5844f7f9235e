import type { Libc } from './libc.js';
import { EAGAIN, EINTR, MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL } from './linux-abi.js';
import type { SlotRequest, TransferSyscall } from './slot-table.js';
import { errnoName } from './syscall-error.js';
import type { SendFileOutcome } from './transfer.js';

/** What to do after a step: go on, go on once the socket is writable, or nothing because it has ended so. */
export type SendStep = 'more' | 'wait' | SendFileOutcome;

/** The connection is gone: by the peer, the network, or shutdown(2). */
const CLOSED = new Set(['EPIPE', 'ECONNRESET', 'ENOTCONN', 'ECONNABORTED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);
/** The kernel won't do it for this pair of descriptors; copying may go on where it stopped. */
const UNSUPPORTED = new Set(['EINVAL', 'ENOSYS', 'EOVERFLOW', 'EOPNOTSUPP', 'ESPIPE', 'ENOTSOCK', 'EPERM']);

/** How far one transfer has come, and the way to bring it forward by one syscall or two. */
export class SendState {
  readonly outputFd: number;
  readonly inputFd: number;
  readonly offset: number;
  readonly length: number;
  sent: number;
  headSent: number;
  /** Of the syscall that ended it, 0 otherwise. */
  errno = 0;
  syscall: TransferSyscall = 'none';

  readonly #head: Uint8Array | undefined;

  constructor(request: SlotRequest) {
    this.outputFd = request.outputFd;
    this.inputFd = request.inputFd;
    this.offset = request.offset;
    this.length = request.length;
    this.sent = request.sent;
    this.headSent = request.headSent;
    this.#head = request.head;
  }

  get remaining(): number {
    return this.length - this.sent;
  }

  /** Sends what is left of the head, then at most `maxBytes` of the file. The socket must be non-blocking. */
  step(libc: Libc, maxBytes: number): SendStep {
    const head = this.#head;
    if (head !== undefined && this.headSent < head.byteLength) {
      const rest = this.headSent === 0 ? head : head.subarray(this.headSent);
      const flags = MSG_NOSIGNAL | MSG_DONTWAIT | (this.remaining > 0 ? MSG_MORE : 0);
      const result = libc.send(this.outputFd, rest, rest.byteLength, flags);
      if (result < 0) return this.fail('send', -result);
      this.headSent += result;
      if (result < rest.byteLength) return 'more';
    }
    if (this.remaining === 0) return 'complete';
    const result = libc.sendfile(
      this.outputFd,
      this.inputFd,
      this.offset + this.sent,
      Math.min(maxBytes, this.remaining),
    );
    if (result < 0) return this.fail('sendfile', -result);
    if (result === 0) return 'truncated';
    this.sent += result;
    return this.remaining === 0 ? 'complete' : 'more';
  }

  /** Takes note of a failed syscall and tells what follows from it. */
  fail(syscall: TransferSyscall, errno: number): SendStep {
    if (errno === EAGAIN) return 'wait';
    if (errno === EINTR) return 'more';
    this.errno = errno;
    this.syscall = syscall;
    const name = errnoName(errno);
    if (CLOSED.has(name)) return 'closed';
    return UNSUPPORTED.has(name) ? 'unsupported' : 'failed';
  }
}
