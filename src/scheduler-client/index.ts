export { createSchedulerClient, type DaemonSchedulerClient, type SchedulerClientOptions } from './client.js';
export type { BlockListQuery } from './block-list.js';
export type { BuildDescription } from './host-message.js';
export { reannounceStoredTasks, type ReannounceOptions } from './reannounce.js';
export type { SchedulerSourceConfig } from './scheduler-source.js';
export type { TaskStatus } from './task-status.js';
export type * from './scheduler-client.js';
