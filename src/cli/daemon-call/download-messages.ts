import type { TrafficType } from '../../core/piece.js';
import { bytesOf, MessageWriter, numberOf, readFields, textOf } from '../../core/protobuf.js';

/** What dfget asks of a daemon: common.v2.Download, without the fields that it never sets. */
export interface DownloadOrder {
  url: string;
  /** `sha256:…` */
  digest?: string | undefined;
  tag?: string;
  application?: string;
  /** Default 0, the protocol's. */
  priority?: number;
  filteredQueryParams?: readonly string[];
  requestHeader?: Readonly<Record<string, string>>;
  pieceLength?: number | undefined;
  /** Absolute; undefined: the daemon sends the content. */
  outputPath?: string | undefined;
  disableBackToSource?: boolean;
  needPieceContent?: boolean;
  forceHardLink?: boolean;
  overwrite?: boolean;
  contentForCalculatingTaskId?: string | undefined;
}

/** dfdaemon.v2.DownloadTaskRequest; the field numbers are those of proto/v2/common.proto. */
export function encodeDownloadRequest(order: DownloadOrder, timeoutMs: number): Buffer {
  const download = new MessageWriter()
    .text(1, order.url)
    .text(2, order.digest)
    .text(5, order.tag)
    .text(6, order.application)
    .number(7, order.priority === 0 ? undefined : order.priority);
  for (const name of order.filteredQueryParams ?? []) download.text(8, name);
  for (const [name, value] of Object.entries(order.requestHeader ?? {}))
    download.message(9, new MessageWriter().text(1, name).text(2, value));
  download
    .number(10, order.pieceLength)
    .text(11, order.outputPath)
    .message(12, duration(timeoutMs))
    .flag(13, order.disableBackToSource)
    .flag(20, order.needPieceContent)
    .flag(22, order.forceHardLink)
    .text(23, order.contentForCalculatingTaskId)
    .flag(26, order.overwrite);
  return new MessageWriter().message(1, download).finish();
}

function duration(ms: number): MessageWriter {
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.round((ms - seconds * 1000) * 1e6);
  return new MessageWriter().number(1, seconds).number(2, nanos === 0 ? undefined : nanos);
}

/** A piece as a daemon tells of it. Lengths and offsets in bytes, durations in milliseconds. */
export interface ToldPiece {
  number: number;
  offset: number;
  length: number;
  parentId: string | undefined;
  content: Buffer | undefined;
  trafficType: TrafficType | undefined;
  costMs: number;
}

/** dfdaemon.v2.DownloadTaskResponse: the start, or one piece. */
export interface DownloadAnswer {
  taskId: string;
  peerId: string;
  started:
    { contentLength: number; range: { start: number; length: number } | undefined; pieces: ToldPiece[] } | undefined;
  piece: ToldPiece | undefined;
}

/** @throws RangeError when the message is malformed */
export function decodeDownloadAnswer(message: Buffer): DownloadAnswer {
  const answer: DownloadAnswer = { taskId: '', peerId: '', started: undefined, piece: undefined };
  for (const field of readFields(message)) {
    if (field.number === 2) answer.taskId = textOf(field);
    else if (field.number === 3) answer.peerId = textOf(field);
    else if (field.number === 4) answer.started = decodeStarted(bytesOf(field));
    else if (field.number === 5)
      for (const inner of readFields(bytesOf(field)))
        if (inner.number === 1) answer.piece = decodePiece(bytesOf(inner));
  }
  return answer;
}

function decodeStarted(message: Buffer): NonNullable<DownloadAnswer['started']> {
  const started: NonNullable<DownloadAnswer['started']> = { contentLength: 0, range: undefined, pieces: [] };
  for (const field of readFields(message)) {
    if (field.number === 1) started.contentLength = numberOf(field);
    else if (field.number === 2) {
      const [start, length] = decodeNumbers(bytesOf(field));
      started.range = { start, length };
    } else if (field.number === 4) started.pieces.push(decodePiece(bytesOf(field)));
  }
  return started;
}

function decodePiece(message: Buffer): ToldPiece {
  const piece: ToldPiece = {
    number: 0,
    offset: 0,
    length: 0,
    parentId: undefined,
    content: undefined,
    trafficType: undefined,
    costMs: 0,
  };
  for (const field of readFields(message)) {
    if (field.number === 1) piece.number = numberOf(field);
    else if (field.number === 2) piece.parentId = textOf(field);
    else if (field.number === 3) piece.offset = numberOf(field);
    else if (field.number === 4) piece.length = numberOf(field);
    else if (field.number === 6) piece.content = bytesOf(field);
    else if (field.number === 7) piece.trafficType = numberOf(field) as TrafficType;
    else if (field.number === 8) {
      const [seconds, nanos] = decodeNumbers(bytesOf(field));
      piece.costMs = seconds * 1000 + nanos / 1e6;
    }
  }
  return piece;
}

/** Fields 1 and 2 of a small message of two numbers: Range, Duration. */
function decodeNumbers(message: Buffer): [number, number] {
  const numbers: [number, number] = [0, 0];
  for (const field of readFields(message))
    if (field.number === 1 || field.number === 2) numbers[field.number - 1] = numberOf(field);
  return numbers;
}
