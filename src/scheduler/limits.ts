/** What the embedded scheduler keeps at most. Beyond a bound it drops what is idle, and refuses when nothing is. */
export interface SchedulerLimits {
  maxHosts: number;
  maxTasks: number;
  /** Over all tasks. */
  maxPeers: number;
  maxPeersPerTask: number;
  /** AnnouncePeer streams at once. */
  maxStreams: number;
  /** Candidate parents of one peer. */
  maxParents: number;
  /** Parents that one peer has reported; the oldest are forgotten. */
  maxBlockedParents: number;
}

export const DEFAULT_SCHEDULER_LIMITS: Readonly<SchedulerLimits> = {
  maxHosts: 1024,
  maxTasks: 10_000,
  maxPeers: 50_000,
  maxPeersPerTask: 300,
  maxStreams: 2048,
  maxParents: 15,
  maxBlockedParents: 512,
};

/** All in milliseconds. */
export interface SchedulerTimings {
  /** A peer's wait for its first parent; it goes to the source then, or as much later when another one has just been sent. */
  parentWaitMs: number;
  /** How long a peer that was sent to the source may take to say that it started; another one is sent then. */
  sourceStartMs: number;
  /** How long a peer may be without its stream before it counts as failed. */
  streamGraceMs: number;
  gcIntervalMs: number;
  /** A host that announced no interval. Others are dropped after two intervals of silence. */
  hostIdleMs: number;
  /** An unfinished peer that reports nothing. */
  peerIdleMs: number;
  /** A task without peers. */
  taskIdleMs: number;
}

export const DEFAULT_SCHEDULER_TIMINGS: Readonly<SchedulerTimings> = {
  parentWaitMs: 2000,
  sourceStartMs: 1000,
  streamGraceMs: 2000,
  gcIntervalMs: 10_000,
  hostIdleMs: 3_600_000,
  peerIdleMs: 1_800_000,
  taskIdleMs: 1_800_000,
};
