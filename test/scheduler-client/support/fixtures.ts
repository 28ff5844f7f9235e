import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { silentLogger, type Logger } from '../../../src/core/logger.js';
import { parseTaskId, type TaskId } from '../../../src/core/task-id.js';
import type { HostDescription, HostLoad, PeerRegistration } from '../../../src/scheduler-client/scheduler-client.js';

export const TASK_ID = parseTaskId('9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08');

export const host: HostDescription = {
  id: '127.0.0.1-test',
  type: 'normal',
  hostname: 'test',
  ip: '127.0.0.1',
  port: 4000,
  proxyPort: 4001,
  schedulerClusterId: 0,
  disableShared: false,
  name: 'test',
};

export const load: HostLoad = {
  cpu: { logicalCount: 2, physicalCount: 2, percent: 10, processPercent: 1 },
  memory: { total: 100, available: 60, used: 40, free: 50, usedPercent: 40, processUsedPercent: 1 },
  network: {
    maxRxBitsPerSecond: 1e10,
    rxBitsPerSecond: 0,
    maxTxBitsPerSecond: 1e10,
    txBitsPerSecond: 0,
    tcpConnectionCount: 3,
    uploadTcpConnectionCount: 1,
  },
  disk: {
    total: 1000,
    free: 400,
    used: 600,
    usedPercent: 60,
    inodesTotal: 10,
    inodesUsed: 1,
    inodesFree: 9,
    inodesUsedPercent: 10,
  },
};

let peers = 0;

export function registration(changes: Partial<PeerRegistration> = {}): PeerRegistration {
  return {
    taskId: TASK_ID,
    peerId: `127.0.0.1-test-${peers++}`,
    url: 'http://origin.test/file',
    tag: '',
    application: '',
    priority: 6,
    filteredQueryParams: [],
    requestHeader: {},
    concurrentPieceCount: 8,
    actualContentLength: 20_971_521,
    actualPieceLength: 4_194_304,
    actualPieceCount: 6,
    needBackToSource: false,
    disableBackToSource: false,
    metadataOnly: false,
    ...changes,
  };
}

/** A task id that begins with these characters. */
export function taskIdFrom(prefix: string): TaskId {
  return parseTaskId(prefix.padEnd(64, '0'));
}

export interface LogLine {
  level: string;
  fields: object;
  message: string;
}

/** Keeps what is logged. */
export function recordingLogger(lines: LogLine[]): Logger {
  const at =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push({ level, fields, message });
  const logger: Logger = {
    ...silentLogger,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}

export function readFixture(name: string): string {
  // dist/test/scheduler-client/support → the package's root
  return readFileSync(
    fileURLToPath(new URL(`../../../../test/scheduler-client/fixtures/${name}`, import.meta.url)),
    'utf8',
  );
}
