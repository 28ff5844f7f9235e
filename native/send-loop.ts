import type { Libc } from './libc.js';
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLET, EPOLLIN, EPOLLOUT, EpollEvents } from './linux-abi.js';
import { PageCache } from './page-cache.js';
import { SendState } from './send-state.js';
import { SlotTable } from './slot-table.js';
import type { SendFileOutcome } from './transfer.js';
import { WakeUp } from './wake-up.js';

/** Descriptors that the main thread opened for a worker, and closes when it has ended. */
export interface LoopDescriptors {
  epoll: number;
  /** Eventfd that wakes the worker for commands. */
  commands: number;
  /** Eventfd that wakes the main thread for finished transfers. */
  finished: number;
}

/** How a worker shares itself out; lengths in bytes. */
export interface LoopOptions {
  /** What one transfer may send before it is the next one's turn. */
  quantumBytes: number;
  /** How far ahead of a transfer the file is read in. */
  prefetchBytes: number;
}

/** The event data of the commands' eventfd; slots are smaller. */
const COMMANDS = 0xffffffff;
const EVENTS_PER_WAIT = 256;
/** An idle worker looks up this often, so that Worker.terminate() can end it: it can't interrupt a syscall. */
const IDLE_CHECK_MS = 2000;

class SlotSend extends SendState {
  slot = -1;
  registered = false;
  waiting = false;
  /** File position up to which the page cache has been seen to. */
  preparedUntil = -1;
}

/** A worker's life: brings its transfers forward in turns, and sleeps in epoll_wait when none can move. */
export class SendLoop {
  readonly #libc: Libc;
  readonly #table: SlotTable;
  readonly #epoll: number;
  readonly #options: LoopOptions;
  readonly #pageCache: PageCache;
  readonly #ownWakeUp: WakeUp;
  readonly #mainWakeUp: WakeUp;
  readonly #events = new EpollEvents(EVENTS_PER_WAIT);
  readonly #interest = new EpollEvents(1);
  readonly #sends: (SlotSend | undefined)[];
  #runnable: SlotSend[] = [];
  #spare: SlotSend[] = [];
  #waiting = 0;

  constructor(libc: Libc, table: SlotTable, descriptors: LoopDescriptors, options: LoopOptions) {
    this.#libc = libc;
    this.#table = table;
    this.#epoll = descriptors.epoll;
    this.#options = options;
    this.#pageCache = new PageCache(libc);
    this.#ownWakeUp = new WakeUp(libc, descriptors.commands, table.flags, SlotTable.workerArmed);
    this.#mainWakeUp = new WakeUp(libc, descriptors.finished, table.flags, SlotTable.mainArmed);
    this.#sends = new Array<SlotSend | undefined>(table.capacity);
    this.#interest.set(0, EPOLLIN, COMMANDS);
    libc.epollControl(descriptors.epoll, EPOLL_CTL_ADD, descriptors.commands, this.#interest);
  }

  /** Returns when shutdown was requested. */
  run(): void {
    this.#table.markStarted();
    while (!this.#table.shutdownRequested) {
      this.#takeCommands();
      if (this.#runnable.length === 0) {
        this.#sleep();
      } else {
        this.#takeTurns();
        if (this.#waiting > 0) this.#poll(0);
      }
    }
  }

  #takeCommands(): void {
    for (let command = this.#table.popCommand(); command !== undefined; command = this.#table.popCommand()) {
      if (command >= 0) {
        const send = new SlotSend(this.#table.request(command));
        send.slot = command;
        this.#sends[command] = send;
        this.#runnable.push(send);
      } else {
        const send = this.#sends[~command];
        if (send?.waiting === true) this.#finish(send, 'stopped');
      }
    }
  }

  #takeTurns(): void {
    const turn = this.#runnable;
    this.#runnable = this.#spare;
    for (const send of turn) this.#advance(send);
    turn.length = 0;
    this.#spare = turn;
  }

  #advance(send: SlotSend): void {
    if (this.#table.stopRequested(send.slot)) {
      this.#finish(send, 'stopped');
      return;
    }
    if (this.#prefetch(send)) {
      this.#runnable.push(send);
      return;
    }
    const step = send.step(this.#libc, this.#options.quantumBytes);
    this.#table.storeProgress(send.slot, send.sent, send.headSent);
    if (step === 'more') this.#runnable.push(send);
    else if (step === 'wait') this.#waitUntilWritable(send);
    else this.#finish(send, step);
  }

  /** True when the file's next bytes have just been asked for: others go first while the disk works. */
  #prefetch(send: SlotSend): boolean {
    const position = send.offset + send.sent;
    if (position < send.preparedUntil || send.remaining === 0) return false;
    const length = Math.min(this.#options.prefetchBytes, send.remaining);
    send.preparedUntil = position + length;
    if (length === 0 || this.#pageCache.endsResident(send.inputFd, position, length)) return false;
    this.#pageCache.willNeed(send.inputFd, position, length);
    return true;
  }

  #waitUntilWritable(send: SlotSend): void {
    if (!send.registered) {
      this.#interest.set(0, EPOLLOUT | EPOLLET, send.slot);
      const result = this.#libc.epollControl(this.#epoll, EPOLL_CTL_ADD, send.outputFd, this.#interest);
      if (result < 0) {
        const step = send.fail('epoll_ctl', -result);
        this.#finish(send, step === 'more' || step === 'wait' ? 'failed' : step);
        return;
      }
      send.registered = true;
    }
    send.waiting = true;
    this.#waiting++;
  }

  #finish(send: SlotSend, outcome: SendFileOutcome): void {
    if (send.waiting) this.#stopWaiting(send);
    // Closing the duplicate would not end the registration: the socket's own descriptor keeps the file open.
    if (send.registered) this.#libc.epollControl(this.#epoll, EPOLL_CTL_DEL, send.outputFd, this.#interest);
    this.#sends[send.slot] = undefined;
    this.#table.pushFinished(send.slot, { outcome, errno: send.errno, syscall: send.syscall });
    this.#mainWakeUp.signal();
  }

  #stopWaiting(send: SlotSend): void {
    send.waiting = false;
    this.#waiting--;
  }

  #sleep(): void {
    this.#ownWakeUp.arm();
    if (!this.#table.hasCommands && !this.#table.shutdownRequested) this.#poll(IDLE_CHECK_MS);
    this.#ownWakeUp.disarm();
  }

  #poll(timeoutMs: number): void {
    const count = this.#libc.epollWait(this.#epoll, this.#events, timeoutMs);
    for (let index = 0; index < count; index++) {
      const data = this.#events.data(index);
      if (data === COMMANDS) {
        this.#ownWakeUp.drain();
        continue;
      }
      const send = this.#sends[data];
      if (send?.waiting !== true) continue;
      this.#stopWaiting(send);
      this.#runnable.push(send);
    }
  }
}
