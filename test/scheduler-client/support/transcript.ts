import type {
  AnnouncePeerRequest,
  AnnouncePeerRequest__Output,
} from '../../../src/generated/scheduler/v2/AnnouncePeerRequest.js';
import type { AnnouncePeerResponse } from '../../../src/generated/scheduler/v2/AnnouncePeerResponse.js';
import type { AnnounceHostRequest } from '../../../src/generated/scheduler/v2/AnnounceHostRequest.js';
import { Scheduler } from '../../../src/grpc/protos.js';
import { readFixture } from './fixtures.js';

/** A captured exchange of a Rust client 1.5.1 with a scheduler 2.5.1. */
export type CapturedLine =
  { from: 'client'; message: AnnouncePeerRequest__Output } | { from: 'scheduler'; message: AnnouncePeerResponse };

interface Capture {
  announceHost: unknown;
  conversations: Record<string, { from: 'client' | 'scheduler'; message: unknown }[]>;
}

const capture = JSON.parse(readFixture('scheduler-v2-conversations.json')) as Capture;
const { requestSerialize, requestDeserialize } = Scheduler.service.AnnouncePeer;

export const capturedAnnounceHost = toCamelCase(capture.announceHost) as AnnounceHostRequest;

export function capturedConversation(name: string): CapturedLine[] {
  return (capture.conversations[name] ?? []).map(({ from, message }): CapturedLine => {
    const camel = toCamelCase(message);
    if (from === 'scheduler') return { from, message: camel as AnnouncePeerResponse };
    return { from, message: requestDeserialize(requestSerialize(camel as AnnouncePeerRequest)) };
  });
}

function toCamelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toCamelCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      toCamelCase(inner),
    ]),
  );
}
