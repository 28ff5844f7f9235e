import type { Metadata } from '@grpc/grpc-js';
import { z } from 'zod';
import { OriginError } from '../core/errors.js';

/** Where gRPC keeps a status's details; Dragonfly puts errordetails.v2.Backend there as JSON, not as a protobuf Any. */
const DETAILS_HEADER = 'grpc-status-details-bin';
/** Many gRPC implementations refuse trailers above 8 KiB. */
export const MAX_ORIGIN_DETAILS_BYTES = 4096;
/** Not for anybody but the one whom the origin gave it. */
const PRIVATE_HEADERS: ReadonlySet<string> = new Set(['set-cookie']);

const backendSchema = z.object({
  message: z.string(),
  header: z.record(z.string(), z.string()).catch({}),
  status_code: z.number().int().nullish(),
});

/** The origin's answer beside the status, as Dragonfly's dfget shows it. Headers that don't fit are left out. */
export function attachOriginDetails(metadata: Metadata, error: OriginError): void {
  if (error.status === undefined) return;
  const backend = { message: error.message.slice(0, 1000), header: {}, status_code: error.status };
  let json = Buffer.from(JSON.stringify(backend));
  for (const [name, value] of Object.entries(error.headers)) {
    if (PRIVATE_HEADERS.has(name.toLowerCase())) continue;
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
  if (details === undefined) return undefined;
  const parsed = backendSchema.safeParse(parseJson(details.toString()));
  if (!parsed.success) return undefined;
  const { message, header, status_code: status } = parsed.data;
  if (status === undefined || status === null) return new OriginError('DFP_ORIGIN_UNREACHABLE', message);
  return new OriginError('DFP_ORIGIN_STATUS', `the origin answers ${status}: ${message}`, { status, headers: header });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
