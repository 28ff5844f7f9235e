import { MessageWriter, payloadsOf } from '../core/protobuf.js';
import type { Peer__Output } from '../generated/common/v2/Peer.js';
import type { AnnouncePeerRequest } from '../generated/scheduler/v2/AnnouncePeerRequest.js';
import type { AnnouncePeerResponse__Output } from '../generated/scheduler/v2/AnnouncePeerResponse.js';
import { assertFewFields } from '../grpc/message-fields.js';
import { Scheduler } from '../grpc/protos.js';

/** Of a scheduler's answer: candidates may come with the pieces of their task. */
export const MAX_ANSWER_FIELDS = 262_144;

const FIELD = {
  requestReschedule: 7,
  rescheduleCandidates: 1,
  rescheduleDescription: 2,
  responseNormalTask: 2,
  normalTaskCandidates: 1,
} as const;

/** A message to the scheduler. `reschedule` takes the candidates as bytes, so that they go back exactly as they came. */
export interface OutgoingMessage {
  message: AnnouncePeerRequest;
  reschedule?: { candidates: readonly Uint8Array[]; description: string };
}

/** A candidate parent: decoded for us, and as bytes for the way back. */
export interface IncomingCandidate {
  peer: Peer__Output;
  bytes: Buffer;
}

export interface IncomingMessage {
  message: AnnouncePeerResponse__Output;
  /** Of a normal_task_response; empty otherwise. */
  candidates: IncomingCandidate[];
}

const { requestSerialize, responseDeserialize } = Scheduler.service.AnnouncePeer;
const deserializePeer = Scheduler.service.StatPeer.responseDeserialize;

export const ANNOUNCE_PEER_PATH = Scheduler.service.AnnouncePeer.path;

export function encodeOutgoing({ message, reschedule }: OutgoingMessage): Buffer {
  const encoded = requestSerialize(message);
  if (reschedule === undefined) return encoded;
  const fields = new MessageWriter();
  for (const bytes of reschedule.candidates) fields.bytes(FIELD.rescheduleCandidates, bytes);
  // The scheduler refuses an empty description.
  if (reschedule.description !== '') fields.text(FIELD.rescheduleDescription, reschedule.description);
  return Buffer.concat([encoded, new MessageWriter().message(FIELD.requestReschedule, fields).finish()]);
}

/** @throws when the bytes are not a protobuf message, or one of too many fields; gRPC ends the stream with INTERNAL then. */
export function decodeIncoming(bytes: Buffer): IncomingMessage {
  assertFewFields(bytes, 'scheduler.v2.AnnouncePeerResponse', MAX_ANSWER_FIELDS);
  const message = responseDeserialize(bytes);
  if (message.response !== 'normalTaskResponse') return { message, candidates: [] };
  const candidates = payloadsOf(bytes, FIELD.responseNormalTask)
    .flatMap((normalTask) => payloadsOf(normalTask, FIELD.normalTaskCandidates))
    // A copy: the view would keep the whole response alive.
    .map((candidate) => ({ peer: deserializePeer(candidate), bytes: Buffer.from(candidate) }));
  return { message, candidates };
}
