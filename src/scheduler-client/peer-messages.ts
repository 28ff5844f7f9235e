import { TrafficType, type StoredPiece } from '../core/piece.js';
import type { Download } from '../generated/common/v2/Download.js';
import type { Piece } from '../generated/common/v2/Piece.js';
import { Priority } from '../generated/common/v2/Priority.js';
import type { AnnouncePeerRequest } from '../generated/scheduler/v2/AnnouncePeerRequest.js';
import { toDuration, toTimestamp } from '../grpc/wire.js';
import type { PeerRegistration } from './scheduler-client.js';

/** Error texts are cut here: a scheduler logs them, it does not read them. */
export const MAX_DESCRIPTION_CHARACTERS = 1024;
/** Of the origin's answer, in a failed-piece report. */
export const MAX_REPORTED_HEADERS = 64;

const PRIORITIES = Object.values(Priority);

/** The part of an AnnouncePeerRequest that says what happened. */
export type PeerEvent = Omit<AnnouncePeerRequest, 'hostId' | 'taskId' | 'peerId' | 'request'>;

export function registerEvent(registration: PeerRegistration): PeerEvent {
  return { registerPeerRequest: { download: toDownload(registration) } };
}

export function backToSourceStartedEvent(description: string): PeerEvent {
  return { downloadPeerBackToSourceStartedRequest: describe(description) };
}

export function pieceFinishedEvent(piece: StoredPiece): PeerEvent {
  return { downloadPieceFinishedRequest: { piece: toPiece(piece) } };
}

export function pieceFromSourceFinishedEvent(piece: StoredPiece): PeerEvent {
  const fromSource = { ...piece, parentId: undefined, trafficType: TrafficType.BACK_TO_SOURCE };
  return { downloadPieceBackToSourceFinishedRequest: { piece: toPiece(fromSource) } };
}

export function pieceFailedEvent(report: { pieceNumber: number; parentPeerId: string; temporary: boolean }): PeerEvent {
  const { pieceNumber, parentPeerId, temporary } = report;
  return { downloadPieceFailedRequest: { pieceNumber, parentId: parentPeerId, temporary } };
}

export function pieceFromSourceFailedEvent(report: {
  pieceNumber: number;
  message: string;
  status?: number | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
}): PeerEvent {
  const { pieceNumber, status, headers = {} } = report;
  const message = clip(report.message);
  const header = Object.fromEntries(Object.entries(headers).slice(0, MAX_REPORTED_HEADERS));
  const response =
    status === undefined ? { unknown: { message } } : { backend: { message, header, statusCode: status } };
  return { downloadPieceBackToSourceFailedRequest: { pieceNumber, ...response } };
}

export function finishedEvent(how: 'parents' | 'source'): PeerEvent {
  return how === 'parents' ? { downloadPeerFinishedRequest: {} } : { downloadPeerBackToSourceFinishedRequest: {} };
}

export function failedEvent(how: 'parents' | 'source', description: string): PeerEvent {
  return how === 'parents'
    ? { downloadPeerFailedRequest: describe(description) }
    : { downloadPeerBackToSourceFailedRequest: describe(description) };
}

export function clip(description: string): string {
  return description.slice(0, MAX_DESCRIPTION_CHARACTERS);
}

function describe(description: string): { description?: string } {
  return description === '' ? {} : { description: clip(description) };
}

function toDownload(registration: PeerRegistration): Download {
  const { digest, range, pieceLength } = registration;
  return {
    url: registration.url,
    tag: registration.tag,
    application: registration.application,
    priority: PRIORITIES[registration.priority] ?? Priority.LEVEL0,
    filteredQueryParams: [...registration.filteredQueryParams],
    requestHeader: { ...registration.requestHeader },
    disableBackToSource: registration.disableBackToSource,
    needBackToSource: registration.needBackToSource,
    metadataOnly: registration.metadataOnly,
    concurrentPieceCount: registration.concurrentPieceCount,
    actualContentLength: registration.actualContentLength,
    actualPieceLength: registration.actualPieceLength,
    actualPieceCount: registration.actualPieceCount,
    ...(digest === undefined ? {} : { digest }),
    ...(range === undefined ? {} : { range: { start: range.offset, length: range.length } }),
    ...(pieceLength === undefined ? {} : { pieceLength }),
  };
}

/** cost and created_at are always there: a scheduler ends the stream without them (docs/WIRE.md 1.4). */
function toPiece(piece: StoredPiece): Piece {
  const { number, offset, length, digest, trafficType, parentId } = piece;
  return {
    number,
    offset,
    length,
    digest,
    trafficType,
    cost: toDuration(wholeMicroseconds(piece.costMs)),
    createdAt: toTimestamp(wholeMicroseconds(piece.createdAtMs)),
    ...(parentId === undefined || parentId === '' ? {} : { parentId }),
  };
}

/** Keeps nanos below a second after rounding. */
function wholeMicroseconds(ms: number): number {
  return Number.isFinite(ms) ? Math.max(0, Math.round(ms * 1000) / 1000) : 0;
}
