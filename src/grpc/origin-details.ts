import type { Metadata } from '@grpc/grpc-js';
import type { OriginError } from '../core/errors.js';
import { isPrivateHeader } from '../core/private-header.js';
import { parseOriginAnswer } from './origin-answer.js';

/** Where gRPC keeps a status's details; Dragonfly puts errordetails.v2.Backend there as JSON, not as a protobuf Any. */
export const DETAILS_HEADER = 'grpc-status-details-bin';
/** Many gRPC implementations refuse trailers above 8 KiB. */
export const MAX_ORIGIN_DETAILS_BYTES = 4096;

/** The origin's answer beside the status, as Dragonfly's dfget shows it. Headers that don't fit are left out. */
export function attachOriginDetails(metadata: Metadata, error: OriginError): void {
  if (error.status === undefined) return;
  const backend = { message: error.message.slice(0, 1000), header: {}, status_code: error.status };
  let json = Buffer.from(JSON.stringify(backend));
  for (const [name, value] of Object.entries(error.headers)) {
    if (isPrivateHeader(name)) continue;
    const header = { ...backend.header, [name]: value };
    const longer = Buffer.from(JSON.stringify({ ...backend, header }));
    if (longer.length > MAX_ORIGIN_DETAILS_BYTES) break;
    backend.header = header;
    json = longer;
  }
  metadata.set(DETAILS_HEADER, json);
}

/** The origin's answer that a daemon of Dragonfly passes on; undefined when there is none. */
export function readOriginDetails(metadata: Metadata | undefined): OriginError | undefined {
  const [details] = metadata?.get(DETAILS_HEADER) ?? [];
  return details === undefined ? undefined : parseOriginAnswer(details.toString());
}
