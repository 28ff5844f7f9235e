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
}

export interface Victim<Task> {
  task: Task;
  reason: 'expired' | 'disk';
}

/** More of the capacity is taken than it may be. */
export function isCrowded(bytes: number, { capacityBytes, highPercent }: CollectionPolicy): boolean {
  return bytes > (capacityBytes * highPercent) / 100;
}

/** Who has to go now, in that order. Counts our own bytes only: what others keep on the disk is none of our business. */
export function chooseVictims<Task extends CollectableTask>(
  tasks: readonly Task[],
  policy: CollectionPolicy,
  nowMs: number,
): Victim<Task>[] {
  const victims: Victim<Task>[] = [];
  let bytes = tasks.reduce((sum, task) => sum + task.bytes, 0);
  const oldestFirst = tasks.filter((task) => !task.pinned).sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  const overHigh = isCrowded(bytes, policy);
  for (const task of oldestFirst) {
    const expired = nowMs - task.lastUsedMs > policy.taskTtlMs;
    const crowded = overHigh && bytes > (policy.capacityBytes * policy.lowPercent) / 100;
    if (!expired && !crowded) break;
    victims.push({ task, reason: expired ? 'expired' : 'disk' });
    bytes -= task.bytes;
  }
  return victims;
}
