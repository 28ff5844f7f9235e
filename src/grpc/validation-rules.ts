import { MAX_PIECE_LENGTH, MIN_PIECE_LENGTH } from '../core/piece.js';
import { Priority } from '../generated/common/v2/Priority.js';
import { TaskType } from '../generated/common/v2/TaskType.js';
import { SourceType } from '../generated/manager/v2/SourceType.js';
import type { MessageName, Messages } from './messages.js';

/** What a field must satisfy. A rule holds for each item of a list. Rules marked "ours" are stricter than the API's own. */
export interface FieldRule {
  /** The field must be present. */
  required?: true;
  /** Fields of this message have rules of their own. */
  message?: MessageName;
  format?: 'ip' | 'uri' | 'digest' | 'hostname';
  minLength?: 1;
  maxLength?: number;
  min?: number;
  max?: number;
  /** The numbers of an enum that is closed on the wire. */
  oneOf?: readonly number[];
  minItems?: number;
  /** An empty text or a zero passes. */
  ignoreEmpty?: true;
  /** Ours: characters that a text may have, since what is announced is kept in memory. */
  cap?: number;
  /** Ours: items that a list may have. */
  maxItems?: number;
  /** Ours: a length that JavaScript can count. */
  safe?: true;
}

export interface MessageRules<Message = Record<string, unknown>> {
  /** A oneof that must have a member set. */
  oneof?: keyof Message & string;
  fields: { readonly [Field in keyof Message]?: FieldRule };
}

/** Hexadecimal digits. */
const TASK_ID_LENGTH = 64;

const PORT: FieldRule = { min: 1024, max: 65_534 };
const OPTIONAL_PORT: FieldRule = { ...PORT, ignoreEmpty: true };
const PERCENT: FieldRule = { min: 0, max: 100 };
const NOT_NEGATIVE: FieldRule = { min: 0 };
const ID: FieldRule = { minLength: 1, cap: 512 };
const REQUIRED: FieldRule = { required: true };
const LABEL: FieldRule = { cap: 1024 };
const SAFE: FieldRule = { safe: true };
const DIGEST: FieldRule = { format: 'digest', ignoreEmpty: true };
const URL_TEXT: FieldRule = { format: 'uri', cap: 16_384 };
const OPTIONAL_IP: FieldRule = { format: 'ip', ignoreEmpty: true };
const REVISION: FieldRule = { minLength: 1 };
const BASE_URL: FieldRule = { format: 'uri', ignoreEmpty: true };
const PRIORITY: FieldRule = { oneOf: Object.values(Priority) };
const TASK_TYPE: FieldRule = { oneOf: Object.values(TaskType) };
const FILTERED_QUERY_PARAMS: FieldRule = { maxItems: 128, cap: 256 };
const MANAGER_TEXT: FieldRule = { minLength: 1, maxLength: 1024, ignoreEmpty: true };
const PEER_OF_TASK = { hostId: ID, taskId: ID, peerId: ID };

const COMMON = {
  'common.v2.Host': {
    fields: {
      id: ID,
      type: { max: 3 },
      hostname: ID,
      ip: { format: 'ip' },
      port: PORT,
      downloadPort: PORT,
      os: LABEL,
      platform: LABEL,
      platformFamily: LABEL,
      platformVersion: LABEL,
      kernelVersion: LABEL,
      cpu: { message: 'common.v2.CPU' },
      memory: { message: 'common.v2.Memory' },
      network: { message: 'common.v2.Network' },
      disk: { message: 'common.v2.Disk' },
      build: { message: 'common.v2.Build' },
      name: LABEL,
    },
  },
  'common.v2.CPU': {
    fields: { percent: NOT_NEGATIVE, processPercent: NOT_NEGATIVE, times: { message: 'common.v2.CPUTimes' } },
  },
  'common.v2.CPUTimes': {
    fields: {
      user: NOT_NEGATIVE,
      system: NOT_NEGATIVE,
      idle: NOT_NEGATIVE,
      nice: NOT_NEGATIVE,
      iowait: NOT_NEGATIVE,
      irq: NOT_NEGATIVE,
      softirq: NOT_NEGATIVE,
      steal: NOT_NEGATIVE,
      guest: NOT_NEGATIVE,
      guestNice: NOT_NEGATIVE,
    },
  },
  'common.v2.Memory': { fields: { usedPercent: PERCENT, processUsedPercent: PERCENT } },
  'common.v2.Disk': { fields: { usedPercent: PERCENT, inodesUsedPercent: PERCENT } },
  'common.v2.Network': { fields: { location: LABEL, idc: LABEL } },
  'common.v2.Build': {
    fields: { gitVersion: LABEL, gitCommit: LABEL, goVersion: LABEL, rustVersion: LABEL, platform: LABEL },
  },
  'common.v2.Range': { fields: { start: SAFE, length: SAFE } },
  'common.v2.Piece': {
    fields: { offset: SAFE, length: SAFE, digest: DIGEST, cost: REQUIRED, createdAt: REQUIRED },
  },
  'common.v2.Task': {
    fields: {
      id: ID,
      type: TASK_TYPE,
      url: URL_TEXT,
      digest: DIGEST,
      pieces: { message: 'common.v2.Piece' },
      state: { minLength: 1 },
      createdAt: REQUIRED,
      updatedAt: REQUIRED,
    },
  },
  'common.v2.Peer': {
    fields: {
      id: ID,
      range: { message: 'common.v2.Range' },
      priority: PRIORITY,
      pieces: { message: 'common.v2.Piece' },
      cost: REQUIRED,
      state: { minLength: 1 },
      task: { required: true, message: 'common.v2.Task' },
      host: { required: true, message: 'common.v2.Host' },
      createdAt: REQUIRED,
      updatedAt: REQUIRED,
    },
  },
  'common.v2.Download': {
    fields: {
      url: URL_TEXT,
      digest: DIGEST,
      range: { message: 'common.v2.Range' },
      type: TASK_TYPE,
      tag: LABEL,
      application: LABEL,
      priority: PRIORITY,
      filteredQueryParams: FILTERED_QUERY_PARAMS,
      pieceLength: { min: MIN_PIECE_LENGTH, max: MAX_PIECE_LENGTH, ignoreEmpty: true },
      objectStorage: { message: 'common.v2.ObjectStorage' },
      remoteIp: OPTIONAL_IP,
      huggingFace: { message: 'common.v2.HuggingFace' },
      modelScope: { message: 'common.v2.ModelScope' },
    },
  },
  'common.v2.ObjectStorage': { fields: { accessKeyId: { minLength: 1 }, accessKeySecret: { minLength: 1 } } },
  'common.v2.HuggingFace': { fields: { revision: REVISION, baseUrl: BASE_URL } },
  'common.v2.ModelScope': { fields: { revision: REVISION, baseUrl: BASE_URL } },
  'errordetails.v2.Backend': { fields: { statusCode: { min: 100, max: 598, ignoreEmpty: true } } },
} as const;

const SCHEDULER = {
  'scheduler.v2.AnnounceHostRequest': { fields: { host: { required: true, message: 'common.v2.Host' } } },
  'scheduler.v2.DeleteHostRequest': { fields: { hostId: ID } },
  'scheduler.v2.AnnouncePeerRequest': {
    oneof: 'request',
    fields: {
      ...PEER_OF_TASK,
      registerPeerRequest: { message: 'scheduler.v2.RegisterPeerRequest' },
      reschedulePeerRequest: { message: 'scheduler.v2.ReschedulePeerRequest' },
      downloadPieceFinishedRequest: { message: 'scheduler.v2.DownloadPieceFinishedRequest' },
      downloadPieceBackToSourceFinishedRequest: { message: 'scheduler.v2.DownloadPieceBackToSourceFinishedRequest' },
      downloadPieceFailedRequest: { message: 'scheduler.v2.DownloadPieceFailedRequest' },
      downloadPieceBackToSourceFailedRequest: { message: 'scheduler.v2.DownloadPieceBackToSourceFailedRequest' },
    },
  },
  'scheduler.v2.RegisterPeerRequest': { fields: { download: { required: true, message: 'common.v2.Download' } } },
  'scheduler.v2.ReschedulePeerRequest': { fields: { candidateParents: { message: 'common.v2.Peer', maxItems: 256 } } },
  'scheduler.v2.DownloadPieceFinishedRequest': { fields: { piece: { required: true, message: 'common.v2.Piece' } } },
  'scheduler.v2.DownloadPieceBackToSourceFinishedRequest': {
    fields: { piece: { required: true, message: 'common.v2.Piece' } },
  },
  'scheduler.v2.DownloadPieceFailedRequest': { fields: { parentId: ID } },
  'scheduler.v2.DownloadPieceBackToSourceFailedRequest': {
    oneof: 'response',
    fields: { backend: { message: 'errordetails.v2.Backend' } },
  },
  'scheduler.v2.AnnouncePeerResponse': {
    oneof: 'response',
    fields: { normalTaskResponse: { message: 'scheduler.v2.NormalTaskResponse' } },
  },
  'scheduler.v2.NormalTaskResponse': { fields: { candidateParents: { message: 'common.v2.Peer', minItems: 1 } } },
  'scheduler.v2.ListHostsResponse': { fields: { hosts: { message: 'common.v2.Host' } } },
  'scheduler.v2.StatPeerRequest': { fields: PEER_OF_TASK },
  'scheduler.v2.DeletePeerRequest': { fields: PEER_OF_TASK },
  'scheduler.v2.StatTaskRequest': { fields: { hostId: ID, taskId: ID } },
  'scheduler.v2.DeleteTaskRequest': { fields: { hostId: ID, taskId: ID } },
} as const;

const DFDAEMON = {
  'dfdaemon.v2.DownloadTaskRequest': { fields: { download: { required: true, message: 'common.v2.Download' } } },
  'dfdaemon.v2.DownloadTaskResponse': {
    oneof: 'response',
    fields: {
      ...PEER_OF_TASK,
      downloadTaskStartedResponse: { message: 'dfdaemon.v2.DownloadTaskStartedResponse' },
      downloadPieceFinishedResponse: { message: 'dfdaemon.v2.DownloadPieceFinishedResponse' },
    },
  },
  'dfdaemon.v2.DownloadTaskStartedResponse': {
    fields: { range: { message: 'common.v2.Range' }, pieces: { message: 'common.v2.Piece' } },
  },
  'dfdaemon.v2.DownloadPieceFinishedResponse': { fields: { piece: { required: true, message: 'common.v2.Piece' } } },
  'dfdaemon.v2.SyncPiecesRequest': {
    fields: { hostId: ID, taskId: ID, interestedPieceNumbers: { minItems: 1 } },
  },
  'dfdaemon.v2.SyncPiecesResponse': {
    fields: { offset: SAFE, length: SAFE, ip: { format: 'ip' }, tcpPort: OPTIONAL_PORT, quicPort: OPTIONAL_PORT },
  },
  'dfdaemon.v2.SyncHostRequest': { fields: { hostId: ID, peerId: ID } },
  'dfdaemon.v2.StatTaskRequest': { fields: { taskId: ID, remoteIp: OPTIONAL_IP } },
  'dfdaemon.v2.StatLocalTaskRequest': { fields: { taskId: ID, remoteIp: OPTIONAL_IP } },
  'dfdaemon.v2.StatLocalTaskResponse': {
    fields: {
      taskId: ID,
      pieceLength: { min: MIN_PIECE_LENGTH, ignoreEmpty: true },
      createdAt: REQUIRED,
      updatedAt: REQUIRED,
    },
  },
  'dfdaemon.v2.ListLocalTasksRequest': { fields: { remoteIp: OPTIONAL_IP } },
  'dfdaemon.v2.ListLocalTasksResponse': { fields: { tasks: { message: 'dfdaemon.v2.StatLocalTaskResponse' } } },
  'dfdaemon.v2.DeleteTaskRequest': { fields: { taskId: ID, remoteIp: OPTIONAL_IP } },
  'dfdaemon.v2.DeleteLocalTaskRequest': { fields: { taskId: ID, remoteIp: OPTIONAL_IP } },
  'dfdaemon.v2.ListTaskEntriesRequest': {
    fields: {
      taskId: ID,
      objectStorage: { message: 'common.v2.ObjectStorage' },
      remoteIp: OPTIONAL_IP,
      huggingFace: { message: 'common.v2.HuggingFace' },
      modelScope: { message: 'common.v2.ModelScope' },
    },
  },
  'dfdaemon.v2.ListTaskEntriesResponse': { fields: { statusCode: { min: 100, max: 598, ignoreEmpty: true } } },
} as const;

const MANAGER = {
  'manager.v2.ListSchedulersRequest': {
    fields: {
      sourceType: { oneOf: Object.values(SourceType) },
      hostname: { format: 'hostname' },
      ip: { format: 'ip' },
      idc: MANAGER_TEXT,
      location: MANAGER_TEXT,
      version: MANAGER_TEXT,
      commit: MANAGER_TEXT,
    },
  },
} as const;

/** Ours altogether. */
const ADMIN = {
  'dfpeer.v1.ListTasksRequest': { fields: { idPrefix: { cap: TASK_ID_LENGTH } } },
  'dfpeer.v1.PiecesHeld': { fields: { hostId: ID, taskId: ID, parentHostIds: { ...ID, maxItems: 128 } } },
  'dfpeer.v1.WatchDownloadRequest': { fields: { taskId: { cap: TASK_ID_LENGTH } } },
  'dfpeer.v1.SetLimitsRequest': {
    fields: { upload: SAFE, uploadPerTask: SAFE, uploadPerChild: SAFE, download: SAFE, backToSource: SAFE },
  },
} as const;

/** The rules of the v2 API (docs/WIRE.md 1; a test compares them with the recorded facts), and some of ours. */
export const MESSAGE_RULES: Readonly<Partial<Record<MessageName, MessageRules>>> = {
  ...COMMON,
  ...SCHEDULER,
  ...DFDAEMON,
  ...MANAGER,
  ...ADMIN,
} satisfies { [Name in MessageName]?: MessageRules<Messages[Name]> };
