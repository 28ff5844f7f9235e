import type { Logger } from '../core/logger.js';
import { AbortedError } from '../core/errors.js';
import { reannounceStoredTasks, type DaemonSchedulerClient, type PeerRegistration } from '../scheduler-client/index.js';
import { registrationOf } from './stored-registration.js';
import type { StoredTask } from './store/stored-task.js';
import type { TaskStore } from './store/task-store.js';

/** Copies that wait to be announced; one more is announced with all others when a scheduler joins the next time. */
export const MAX_PENDING_ANNOUNCEMENTS = 1024;

/** Lets schedulers know of complete copies: after a restart of ours or theirs, and when they ask. One round at a time. */
export class StoredTaskAnnouncer {
  readonly #store: TaskStore;
  readonly #newPeerId: () => string;
  readonly #concurrentPieceCount: number;
  readonly #logger: Logger;
  readonly #controller = new AbortController();
  #rounds: Promise<void> = Promise.resolve();
  #isRoundWanted = false;
  #areRoundsRunning = false;
  readonly #pending = new Set<StoredTask>();
  #announcing: Promise<void> = Promise.resolve();
  #isAnnouncing = false;

  constructor(options: { store: TaskStore; newPeerId: () => string; concurrentPieceCount: number; logger: Logger }) {
    this.#store = options.store;
    this.#newPeerId = options.newPeerId;
    this.#concurrentPieceCount = options.concurrentPieceCount;
    this.#logger = options.logger;
  }

  /** Announces everything that its scheduler was not told of; a round that is already running is followed by one more. */
  announceAll(client: DaemonSchedulerClient): void {
    this.#isRoundWanted = true;
    if (!this.#areRoundsRunning) this.#rounds = this.#runRounds(client);
  }

  async announce(client: DaemonSchedulerClient, task: StoredTask): Promise<void> {
    const registration = this.#registration(task);
    if (registration !== undefined) await client.announceStoredTask(registration, this.#controller.signal);
  }

  /** A copy that was just made, unless its scheduler was told of it: nobody waits for this, and one is announced at a time. */
  announceSoon(client: DaemonSchedulerClient, task: StoredTask): void {
    if (this.#pending.size >= MAX_PENDING_ANNOUNCEMENTS || this.#controller.signal.aborted) return;
    this.#pending.add(task);
    if (!this.#isAnnouncing) this.#announcing = this.#announcePending(client);
  }

  async stop(): Promise<void> {
    this.#controller.abort(new AbortedError('announcing stored tasks'));
    await this.#rounds;
    await this.#announcing;
  }

  /** Says itself that it is over, and not its promise: what is pending by then would be left to nobody. */
  async #announcePending(client: DaemonSchedulerClient): Promise<void> {
    this.#isAnnouncing = true;
    for (const task of this.#pending) {
      this.#pending.delete(task);
      if (this.#controller.signal.aborted || client.isAnnounced(task.taskId)) continue;
      try {
        await this.announce(client, task);
      } catch (error) {
        this.#logger.debug({ taskId: task.taskId, err: error }, 'could not announce a complete task');
      }
    }
    this.#isAnnouncing = false;
  }

  /** As above. */
  async #runRounds(client: DaemonSchedulerClient): Promise<void> {
    this.#areRoundsRunning = true;
    while (this.#isRoundWanted && !this.#controller.signal.aborted) {
      this.#isRoundWanted = false;
      try {
        await this.#store.allSettled();
        const announced = await reannounceStoredTasks(client, this.#registrations(), {
          signal: this.#controller.signal,
          logger: this.#logger,
        });
        if (announced > 0) this.#logger.info({ tasks: announced }, 'complete tasks were announced to their scheduler');
      } catch (error) {
        if (!this.#controller.signal.aborted)
          this.#logger.warn({ err: error }, 'complete tasks could not be announced');
      }
    }
    this.#areRoundsRunning = false;
  }

  *#registrations(): Iterable<PeerRegistration> {
    for (const task of this.#store.tasks()) {
      const registration = this.#registration(task);
      if (registration !== undefined) yield registration;
    }
  }

  #registration(task: StoredTask): PeerRegistration | undefined {
    return registrationOf(task, this.#newPeerId(), this.#concurrentPieceCount);
  }
}
