import { DfpeerError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { parseTaskId, type TaskId } from '../../core/task-id.js';
import type { DfdaemonDownloadHandlers } from '../../generated/dfdaemon/v2/DfdaemonDownload.js';
import { unary } from '../../grpc/handlers.js';
import type { DaemonSchedulerClient } from '../../scheduler-client/index.js';
import type { StoredTask } from '../store/stored-task.js';
import type { TaskStore } from '../store/task-store.js';
import { toLocalTask, toWireTask } from './task-messages.js';

export interface TaskMethodsDependencies {
  store: TaskStore;
  scheduler: DaemonSchedulerClient | undefined;
  logger: Logger;
  /** Uploads of the task that run now. */
  uploadingCount(taskId: TaskId): number;
}

type TaskMethods = Pick<DfdaemonDownloadHandlers, 'StatTask' | 'StatLocalTask' | 'ListTaskEntries' | 'DeleteTask'>;
type AssertMayDelete = (call: Parameters<TaskMethods['DeleteTask']>[0]) => void;

/** What both services of a daemon answer about tasks. `assertMayDelete` throws for a caller that may not. */
export function makeTaskMethods(
  { store, scheduler, logger, uploadingCount }: TaskMethodsDependencies,
  assertMayDelete: AssertMayDelete,
): TaskMethods {
  return {
    StatTask: unary('dfdaemon.v2.StatTaskRequest', logger, async ({ taskId }) => {
      const id = parseTaskId(taskId);
      const task = await requireScheduler(scheduler).statTask(id);
      if (task === undefined) throw new DfpeerError('DFP_TASK_NOT_FOUND', `the scheduler does not know task ${id}`);
      return toWireTask(task);
    }),
    StatLocalTask: unary('dfdaemon.v2.StatLocalTaskRequest', logger, async ({ taskId }) => {
      const id = parseTaskId(taskId);
      return toLocalTask(await requireTask(store, id), uploadingCount(id));
    }),
    ListTaskEntries: unary('dfdaemon.v2.ListTaskEntriesRequest', logger, async () => {
      throw new DfpeerError('DFP_UNIMPLEMENTED', 'http and https have no directories to list; name a file');
    }),
    DeleteTask: unary('dfdaemon.v2.DeleteTaskRequest', logger, async ({ taskId }, call) => {
      assertMayDelete(call);
      await deleteLocalTask(store, taskId);
      await scheduler?.deleteTask(parseTaskId(taskId));
      return {};
    }),
  };
}

/** @throws DfpeerError DFP_TASK_NOT_FOUND; DFP_INVALID_ARGUMENT when that is no task id */
export async function deleteLocalTask(store: TaskStore, taskId: string): Promise<void> {
  const id = parseTaskId(taskId);
  await requireTask(store, id);
  await store.remove(id);
}

async function requireTask(store: TaskStore, taskId: TaskId): Promise<StoredTask> {
  const task = await store.settled(taskId);
  if (task === undefined) throw new DfpeerError('DFP_TASK_NOT_FOUND', `task ${taskId} is not stored on this host`);
  return task;
}

function requireScheduler(scheduler: DaemonSchedulerClient | undefined): DaemonSchedulerClient {
  if (scheduler === undefined)
    throw new DfpeerError('DFP_SCHEDULER_UNREACHABLE', 'this daemon works without a scheduler');
  return scheduler;
}
