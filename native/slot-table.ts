import type { SendFileOutcome } from './transfer.js';
import { SharedRing } from './shared-ring.js';

/** Transfers that one worker can hold at once. */
export const SLOTS_PER_WORKER = 2048;
/** The longest head that a transfer can carry, bytes. */
export const MAX_HEAD_BYTES = 4096;

/** At most a stop of the slot's last user, a start and a stop of its present one are under way. */
const COMMANDS_PER_SLOT = 4;
const FLAG_WORDS = 16;
const SLOT_WORDS = 16;

const WORKER_ARMED = 0;
const MAIN_ARMED = 1;
const SHUTDOWN = 2;
const STARTED = 3;

const OUTPUT_FD = 0;
const INPUT_FD = 1;
const HEAD_LENGTH = 2;
const HEAD_SENT = 3;
const STOP = 4;
const OUTCOME = 5;
const ERRNO = 6;
const SYSCALL = 7;
// As 64-bit words, from the slot's start.
const OFFSET = 4;
const LENGTH = 5;
const SENT = 6;

const OUTCOMES: readonly SendFileOutcome[] = ['complete', 'stopped', 'closed', 'truncated', 'unsupported', 'failed'];
const SYSCALLS = ['none', 'send', 'sendfile', 'epoll_ctl'] as const;

/** The syscall that ended a transfer. */
export type TransferSyscall = (typeof SYSCALLS)[number];

/** What the worker needs to know to start. */
export interface SlotRequest {
  outputFd: number;
  inputFd: number;
  offset: number;
  length: number;
  /** Already sent of the length. */
  sent: number;
  head: Uint8Array | undefined;
  headSent: number;
}

/** How a transfer ended. */
export interface SlotResult {
  outcome: SendFileOutcome;
  /** Positive, 0 when no syscall failed. */
  errno: number;
  syscall: TransferSyscall;
}

/**
 * The memory that the main thread and one worker share: a slot for each transfer, a ring of commands one way and of
 * finished slots the other way. A transfer costs no message and no allocation. The main thread owns a slot until it
 * pushes `start`, the worker from then until it pushes it to the finished ring; only `stop` and `sent` cross over.
 */
export class SlotTable {
  readonly memory: SharedArrayBuffer;
  readonly capacity: number;
  readonly flags: Int32Array;
  static readonly workerArmed = WORKER_ARMED;
  static readonly mainArmed = MAIN_ARMED;

  readonly #words: Int32Array;
  readonly #longs: BigInt64Array;
  readonly #heads: Uint8Array;
  readonly #commands: SharedRing;
  readonly #finished: SharedRing;

  /** Made anew, or over the memory of the other thread's table. `capacity` must be a power of two. */
  constructor(capacity: number, memory?: SharedArrayBuffer) {
    const slotBytes = capacity * SLOT_WORDS * 4;
    const slotsAt = FLAG_WORDS * 4;
    const headsAt = slotsAt + slotBytes;
    const commandsAt = headsAt + capacity * MAX_HEAD_BYTES;
    const finishedAt = commandsAt + SharedRing.byteLength(capacity * COMMANDS_PER_SLOT);
    this.capacity = capacity;
    this.memory = memory ?? new SharedArrayBuffer(finishedAt + SharedRing.byteLength(capacity));
    this.flags = new Int32Array(this.memory, 0, FLAG_WORDS);
    this.#words = new Int32Array(this.memory, slotsAt, capacity * SLOT_WORDS);
    this.#longs = new BigInt64Array(this.memory, slotsAt, (capacity * SLOT_WORDS) / 2);
    this.#heads = new Uint8Array(this.memory, headsAt, capacity * MAX_HEAD_BYTES);
    this.#commands = new SharedRing(this.memory, commandsAt, capacity * COMMANDS_PER_SLOT);
    this.#finished = new SharedRing(this.memory, finishedAt, capacity);
  }

  // The main thread's side.

  pushStart(slot: number, request: SlotRequest): void {
    const base = slot * SLOT_WORDS;
    this.#words[base + OUTPUT_FD] = request.outputFd;
    this.#words[base + INPUT_FD] = request.inputFd;
    this.#words[base + HEAD_LENGTH] = request.head?.byteLength ?? 0;
    this.#words[base + HEAD_SENT] = request.headSent;
    this.#words[base + STOP] = 0;
    const longs = base / 2;
    this.#longs[longs + OFFSET] = BigInt(request.offset);
    this.#longs[longs + LENGTH] = BigInt(request.length);
    this.#longs[longs + SENT] = BigInt(request.sent);
    if (request.head !== undefined) this.#heads.set(request.head, slot * MAX_HEAD_BYTES);
    this.#push(this.#commands, slot);
  }

  pushStop(slot: number): void {
    const word = slot * SLOT_WORDS + STOP;
    if (Atomics.exchange(this.#words, word, 1) === 0) this.#push(this.#commands, ~slot);
  }

  popFinished(): number | undefined {
    return this.#finished.pop();
  }

  result(slot: number): SlotResult {
    const base = slot * SLOT_WORDS;
    return {
      outcome: OUTCOMES[this.#words[base + OUTCOME] ?? -1] ?? 'failed',
      errno: this.#words[base + ERRNO] ?? 0,
      syscall: SYSCALLS[this.#words[base + SYSCALL] ?? -1] ?? 'none',
    };
  }

  requestShutdown(): void {
    Atomics.store(this.flags, SHUTDOWN, 1);
  }

  /** Whether the worker ever came to its loop: before, no byte can have been sent. */
  get started(): boolean {
    return Atomics.load(this.flags, STARTED) === 1;
  }

  /** Blocks this thread until the worker came to its loop, or the time is over. */
  waitUntilStarted(timeoutMs: number): void {
    Atomics.wait(this.flags, STARTED, 0, timeoutMs);
  }

  // Both sides.

  /** Bytes of the file sent, live. */
  sent(slot: number): number {
    return Number(Atomics.load(this.#longs, (slot * SLOT_WORDS) / 2 + SENT));
  }

  headSent(slot: number): number {
    return Atomics.load(this.#words, slot * SLOT_WORDS + HEAD_SENT);
  }

  // The worker's side.

  markStarted(): void {
    Atomics.store(this.flags, STARTED, 1);
    Atomics.notify(this.flags, STARTED);
  }

  get shutdownRequested(): boolean {
    return Atomics.load(this.flags, SHUTDOWN) === 1;
  }

  get hasCommands(): boolean {
    return !this.#commands.empty;
  }

  /** A slot to start, or the complement (`~slot`) of one to stop. */
  popCommand(): number | undefined {
    return this.#commands.pop();
  }

  request(slot: number): SlotRequest {
    const base = slot * SLOT_WORDS;
    const headAt = slot * MAX_HEAD_BYTES;
    const headLength = this.#words[base + HEAD_LENGTH] ?? 0;
    return {
      outputFd: this.#words[base + OUTPUT_FD] ?? -1,
      inputFd: this.#words[base + INPUT_FD] ?? -1,
      offset: Number(this.#longs[base / 2 + OFFSET]),
      length: Number(this.#longs[base / 2 + LENGTH]),
      sent: this.sent(slot),
      head: headLength === 0 ? undefined : this.#heads.subarray(headAt, headAt + headLength),
      headSent: this.headSent(slot),
    };
  }

  stopRequested(slot: number): boolean {
    return Atomics.load(this.#words, slot * SLOT_WORDS + STOP) === 1;
  }

  storeProgress(slot: number, sent: number, headSent: number): void {
    Atomics.store(this.#longs, (slot * SLOT_WORDS) / 2 + SENT, BigInt(sent));
    Atomics.store(this.#words, slot * SLOT_WORDS + HEAD_SENT, headSent);
  }

  pushFinished(slot: number, result: SlotResult): void {
    const base = slot * SLOT_WORDS;
    this.#words[base + OUTCOME] = OUTCOMES.indexOf(result.outcome);
    this.#words[base + ERRNO] = result.errno;
    this.#words[base + SYSCALL] = SYSCALLS.indexOf(result.syscall);
    this.#push(this.#finished, slot);
  }

  #push(ring: SharedRing, value: number): void {
    if (!ring.push(value)) throw new Error('a ring between the threads is full: more commands than slots can have');
  }
}
