import { LRUCache } from 'lru-cache';
import type { TaskId } from '../core/task-id.js';

/** Beyond, the oldest are forgotten, and announced once more than needed after a change of schedulers. */
export const MAX_ANNOUNCED_TASKS = 65_536;

export interface Announcement {
  /** The scheduler that was told. */
  address: string;
  peerId: string;
}

/** Which complete tasks of ours each scheduler has been told of. */
export class AnnouncedTasks {
  readonly #announcements: LRUCache<TaskId, Announcement>;

  constructor(max = MAX_ANNOUNCED_TASKS) {
    this.#announcements = new LRUCache({ max });
  }

  record(taskId: TaskId, announcement: Announcement): void {
    this.#announcements.set(taskId, announcement);
  }

  forgetTask(taskId: TaskId): void {
    this.#announcements.delete(taskId);
  }

  forgetScheduler(address: string): void {
    for (const [taskId, announcement] of [...this.#announcements.entries()])
      if (announcement.address === address) this.#announcements.delete(taskId);
  }

  isKnownTo(address: string, taskId: TaskId): boolean {
    return this.#announcements.peek(taskId)?.address === address;
  }

  /** One that the scheduler should still know; whether it does tells whether it was restarted. */
  witnessOf(address: string): { taskId: TaskId; peerId: string } | undefined {
    for (const [taskId, announcement] of this.#announcements.entries())
      if (announcement.address === address) return { taskId, peerId: announcement.peerId };
    return undefined;
  }
}
