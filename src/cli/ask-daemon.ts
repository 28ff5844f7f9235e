import { storeDirectoryIn } from '../config/places.js';
import { resolveDaemonConfig } from '../config/resolve.js';
import type { SetLimitsRequest } from '../generated/dfpeer/v1/SetLimitsRequest.js';
import { DfpeerError, UsageError } from '../core/errors.js';
import { printableJson } from '../core/printable.js';
import { DfdaemonDownload } from '../grpc/protos.js';
import { ADMIN, callAdmin, plainMessage } from './admin-client.js';
import { findListening } from './daemon-connection.js';
import type { ClientOptions, DfdaemonCommand, LimitChanges } from './dfdaemon-commands.js';
import { KEY_OF_LIMIT, showLimits } from './show-limits.js';
import { showPeers } from './show-peers.js';
import { showRemoved, showTasks } from './show-tasks.js';

/** Where the output is no terminal. */
const DEFAULT_WIDTH = 80;

export type AskingCommand = Exclude<DfdaemonCommand, { name: 'run' | 'doctor' }>;

/** `dfdaemon tasks|peers|limits`. Resolves with what goes to stdout. @throws DfpeerError */
export async function askDaemon(command: AskingCommand, width = DEFAULT_WIDTH): Promise<string> {
  const socketPath = await findSocket(command);
  switch (command.name) {
    case 'tasks':
      if (command.remove !== undefined) return removeTask(socketPath, command.remove, command.json);
      return tasks(socketPath, command.json, width);
    case 'peers':
      return peers(socketPath, command.json, width);
    case 'limits':
      return limits(socketPath, command.changes, command.json, width);
  }
}

async function findSocket({ socketPath, overrides }: ClientOptions): Promise<string> {
  if (socketPath !== undefined) return socketPath;
  const { download, storage } = await resolveDaemonConfig(overrides);
  const configured = download.server.socketPath;
  return (await findListening(configured, storeDirectoryIn(storage.dir))) ?? configured;
}

async function tasks(socketPath: string, json: boolean, width: number): Promise<string> {
  const [stored, moving, { nowMs }] = await Promise.all([
    callAdmin(socketPath, ADMIN.ListTasks, {}),
    callAdmin(socketPath, ADMIN.ListTransfers, {}),
    callAdmin(socketPath, ADMIN.GetDaemon, {}),
  ]);
  return json ? document({ ...stored, transfers: moving }) : showTasks(stored, moving, nowMs, width);
}

/** Here, and in what the scheduler knows of us. @throws UsageError, DfpeerError DFP_TASK_NOT_FOUND */
async function removeTask(socketPath: string, idPrefix: string, json: boolean): Promise<string> {
  if (idPrefix === '') throw new UsageError('--remove needs the id of a task, or how it starts');
  const { tasks, total } = await callAdmin(socketPath, ADMIN.ListTasks, { idPrefix, limit: 1 });
  const [task] = tasks;
  const remedy = 'dfdaemon tasks lists what is stored';
  if (task === undefined) throw new DfpeerError('DFP_TASK_NOT_FOUND', `no task starts with ${idPrefix}; ${remedy}`);
  if (total > 1) throw new UsageError(`${total} tasks start with ${idPrefix}; write more of the id: ${remedy}`);
  await callAdmin(socketPath, DfdaemonDownload.service.DeleteTask, { taskId: task.id });
  return json ? document({ removed: task }) : showRemoved(task);
}

async function peers(socketPath: string, json: boolean, width: number): Promise<string> {
  const [listed, { nowMs }] = await Promise.all([
    callAdmin(socketPath, ADMIN.ListPeers, {}),
    callAdmin(socketPath, ADMIN.GetDaemon, {}),
  ]);
  return json ? document(listed) : showPeers(listed, nowMs, width);
}

async function limits(socketPath: string, changes: LimitChanges, json: boolean, width: number): Promise<string> {
  const names = Object.keys(changes);
  const request: SetLimitsRequest = changes;
  const inForce =
    names.length === 0
      ? await callAdmin(socketPath, ADMIN.GetLimits, {})
      : await callAdmin(socketPath, ADMIN.SetLimits, request);
  if (json) return document(inForce);
  const keys = names.map((name) => KEY_OF_LIMIT[name] ?? name).join(', ');
  const note =
    names.length === 0
      ? ''
      : `\nin force at once, until the configuration is read again (SIGHUP, restart); to keep it, set ${keys}\n`;
  return showLimits(inForce, width) + note;
}

function document(message: object): string {
  return `${printableJson(plainMessage(message), 2)}\n`;
}
