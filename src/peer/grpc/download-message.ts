import type { Metadata } from '@grpc/grpc-js';
import { isAbsolute } from 'node:path';
import { UsageError } from '../../core/errors.js';
import { parseRangeHeader } from '../../core/byte-range.js';
import type { ByteRange, PieceSlice, StoredPiece } from '../../core/piece.js';
import { parseTaskDigest, type TaskDigest } from '../../core/task-digest.js';
import { computeTaskId } from '../../core/task-id.js';
import type { Download__Output } from '../../generated/common/v2/Download.js';
import type { Piece } from '../../generated/common/v2/Piece.js';
import { NO_HARD_LINK_KEY, OUTPUT_DIRECTORY_KEY, RATE_LIMIT_KEY, UMASK_KEY } from '../../grpc/metadata-keys.js';
import { fromWireLength, toDuration, toTimestamp } from '../../grpc/wire.js';
import type { DownloadRequest } from '../download/download-request.js';
import type { OriginTrust } from '../fetch/piece-fetcher.js';

/** What a client's `Download` asks for, checked. */
export interface ClientDownload {
  request: DownloadRequest;
  /** Verified against the output's bytes. */
  digest: TaskDigest | undefined;
  range: ((contentLength: number) => ByteRange) | undefined;
  outputPath: string | undefined;
  overwrite: boolean;
  forceHardLink: boolean;
  /** Whether the output may share the store's inode. */
  allowHardLink: boolean;
  /** The permissions that its user wants a new file to have; undefined: those that the daemon gives. */
  outputMode: number | undefined;
  needPieceContent: boolean;
  /** With a range: the rest of the task is fetched in the background. */
  prefetch: boolean;
}

/** TaskType STANDARD: the only one this peer handles. */
const STANDARD = 0;

/** What a client on this host asks for. @throws UsageError DFP_INVALID_ARGUMENT naming the field. */
export function readDownload(download: Download__Output): ClientDownload {
  const digest = download.digest ? parseTaskDigest(download.digest) : undefined;
  return { ...readUnverified(download, 'local-user'), digest };
}

/**
 * What a scheduler asks of a seed: to have the content. Whoever wants the output writes and verifies it, by whatever digest it likes, and pieces that
 * were sent here would be thrown away. @throws UsageError DFP_INVALID_ARGUMENT naming the field.
 */
export function readSeedDownload(download: Download__Output): ClientDownload {
  const client = readUnverified(download, 'network');
  return { ...client, digest: undefined, outputPath: undefined, needPieceContent: false };
}

function readUnverified(download: Download__Output, trust: OriginTrust): Omit<ClientDownload, 'digest'> {
  if (download.type !== STANDARD)
    throw invalid('type', `only standard tasks are handled, not type ${String(download.type)}`);
  const pieceLength = download.pieceLength === 0 ? undefined : download.pieceLength;
  if (pieceLength !== undefined && fromWireLength(pieceLength) === undefined)
    throw invalid('piece_length', `${pieceLength} is no length`);
  const { url, outputPath } = download;
  if (outputPath !== undefined && !isAbsolute(outputPath))
    throw invalid('output_path', `${outputPath} is not absolute`);
  if (download.objectStorage !== null && download.objectStorage !== undefined)
    throw invalid('object_storage', 'only http and https origins are supported');
  const range = readRange(download);
  return {
    request: {
      taskId: computeTaskId({
        ...download,
        url,
        pieceLength,
        contentForCalculatingTaskId: download.contentForCalculatingTaskId,
      }),
      url,
      requestHeader: withoutRange(download.requestHeader),
      tag: download.tag ?? '',
      application: download.application ?? '',
      priority: download.priority,
      filteredQueryParams: download.filteredQueryParams,
      pieceLength,
      digest: download.digest,
      range,
      // A scheduler passes on to the seed what the child asked with: the child is not to use the origin, the seed is told to.
      disableBackToSource: download.disableBackToSource && !download.needBackToSource,
      needBackToSource: download.needBackToSource,
      trust,
      rateLimitBytesPerSecond: undefined,
    },
    range,
    outputPath,
    overwrite: download.overwrite,
    forceHardLink: download.forceHardLink,
    allowHardLink: true,
    outputMode: undefined,
    needPieceContent: download.needPieceContent,
    prefetch: download.prefetch,
  };
}

/** The field wins over a Range header. */
function readRange(download: Download__Output): ClientDownload['range'] {
  if (download.range !== null && download.range !== undefined) {
    const { start, length } = download.range;
    if (fromWireLength(start) === undefined || fromWireLength(length) === undefined || length === 0)
      throw invalid('range', `${length} bytes from ${start} is no range`);
    return (contentLength) => clampRange({ offset: start, length }, contentLength);
  }
  const header = Object.entries(download.requestHeader).find(([name]) => name.toLowerCase() === 'range')?.[1];
  if (header === undefined) return undefined;
  return (contentLength) => {
    const parsed = parseRangeHeader(header, contentLength);
    if (parsed.kind === 'range') return parsed.range;
    throw new UsageError(
      `${header} is no range of this content, which has ${contentLength} bytes; give another --range`,
      undefined,
      'DFP_INVALID_ARGUMENT',
    );
  };
}

function clampRange(range: ByteRange, contentLength: number): ByteRange {
  if (range.offset >= contentLength)
    throw invalid('range', `starts at ${range.offset}, but the content has ${contentLength} bytes`);
  return { offset: range.offset, length: Math.min(range.length, contentLength - range.offset) };
}

function withoutRange(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'range'));
}

function invalid(field: string, why: string): UsageError {
  return new UsageError(`download.${field}: ${why}`, undefined, 'DFP_INVALID_ARGUMENT');
}

export function toWirePiece(piece: StoredPiece): Piece {
  return {
    number: piece.number,
    offset: piece.offset,
    length: piece.length,
    digest: piece.digest,
    trafficType: piece.trafficType,
    cost: toDuration(piece.costMs),
    createdAt: toTimestamp(piece.createdAtMs),
    ...(piece.parentId === undefined ? {} : { parentId: piece.parentId }),
  };
}

/** A piece that is still to come: where it lies, and nothing else. */
export function toWireSlice(slice: PieceSlice): Piece {
  return { ...slice, digest: '', cost: toDuration(0), createdAt: toTimestamp(0) };
}

export function readAllowHardLink(metadata: Metadata): boolean {
  return metadata.get(NO_HARD_LINK_KEY).length === 0;
}

/** The identity of the output's directory as the client sees it; undefined: it does not tell. */
export function readOutputDirectory(metadata: Metadata): string | undefined {
  return metadata.get(OUTPUT_DIRECTORY_KEY)[0]?.toString();
}

/** What the client's umask leaves of a new file's permissions. @throws UsageError for what is no umask */
export function readOutputMode(metadata: Metadata): number | undefined {
  const [text] = metadata.get(UMASK_KEY);
  if (text === undefined) return undefined;
  if (/^[0-7]{1,4}$/.test(String(text))) return 0o666 & ~Number.parseInt(String(text), 8);
  throw new UsageError(
    `${UMASK_KEY} must be up to four octal digits, not ${JSON.stringify(text)}`,
    undefined,
    'DFP_INVALID_ARGUMENT',
  );
}

/** @throws UsageError for a limit that isn't a positive number */
export function readRateLimit(metadata: Metadata): number | undefined {
  const [text] = metadata.get(RATE_LIMIT_KEY);
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (Number.isSafeInteger(limit) && limit > 0) return limit;
  throw new UsageError(
    `${RATE_LIMIT_KEY} must be bytes per second, not ${JSON.stringify(text)}`,
    undefined,
    'DFP_INVALID_ARGUMENT',
  );
}
