/** A task as the collector sees it. */
export interface CollectableTask {
  taskId: string;
  bytes: number;
  lastUsedMs: number;
  /** In use: being downloaded, uploaded or linked. Never collected. */
  pinned: boolean;
}

export interface CollectionPolicy {
  /** A task that nobody used for this long goes. */
  taskTtlMs: number;
  /** What our own bytes are measured against. */
  capacityBytes: number;
  /** Above this share of the capacity the least recently used tasks go … */
  highPercent: number;
  /** … until our bytes are below this share. */
  lowPercent: number;
  /** Of more tasks than these the least recently used go. */
  maxTasks: number;
}

export interface Victim<Task> {
  task: Task;
  reason: CollectionReason;
}

/** Unused for too long; beyond our share of the disk; one of too many; in the way of a download that filled the disk. */
export const COLLECTION_REASONS = ['expired', 'disk', 'count', 'room'] as const;
export type CollectionReason = (typeof COLLECTION_REASONS)[number];

/** More of the capacity is taken than it may be. */
export function isCrowded(
  bytes: number,
  { capacityBytes, highPercent }: Pick<CollectionPolicy, 'capacityBytes' | 'highPercent'>,
): boolean {
  return bytes > (capacityBytes * highPercent) / 100;
}

/** Those that may go, the least recently used one first. */
export function oldestFirst<Task extends Pick<CollectableTask, 'pinned' | 'lastUsedMs'>>(
  tasks: readonly Task[],
): Task[] {
  return tasks.filter((task) => !task.pinned).sort((a, b) => a.lastUsedMs - b.lastUsedMs);
}

/** Who has to go now, in that order. Counts our own bytes only: what others keep on the disk is none of our business. */
export function chooseVictims<Task extends CollectableTask>(
  tasks: readonly Task[],
  policy: CollectionPolicy,
  nowMs: number,
): Victim<Task>[] {
  const victims: Victim<Task>[] = [];
  let bytes = tasks.reduce((sum, task) => sum + task.bytes, 0);
  const overHigh = isCrowded(bytes, policy);
  for (const task of oldestFirst(tasks)) {
    const expired = nowMs - task.lastUsedMs > policy.taskTtlMs;
    const crowded = overHigh && bytes > (policy.capacityBytes * policy.lowPercent) / 100;
    const excess = tasks.length - victims.length > policy.maxTasks;
    if (!expired && !crowded && !excess) break;
    victims.push({ task, reason: expired ? 'expired' : crowded ? 'disk' : 'count' });
    bytes -= task.bytes;
  }
  return victims;
}
