import { parseContentRange } from '../../../core/byte-range.js';
import { throwIfAborted, withDeadline } from '../../../core/deadline.js';
import { redactUrl } from '../../../core/redact.js';
import type { OriginContent, OriginTrust } from '../piece-fetcher.js';
import {
  contentLengthOf,
  encodingOf,
  isWhole,
  mayRefuseRange,
  unsatisfiedLengthOf,
  wrongStatus,
} from './answer-checks.js';
import type { OriginClient } from './origin-client.js';
import type { OriginAnswer } from './origin-exchange.js';
import { firstRequest } from './request-headers.js';

/** Rather than to close a connection, this much of an answer is read and dropped. */
const MAX_DRAINED_BYTES = 4096;
/** A server that has no answer to HEAD may still give the content. */
export const HEAD_TIMEOUT_MS = 2_000;

export interface OriginStatOrder {
  url: string;
  requestHeader: Readonly<Record<string, string>>;
  trust: OriginTrust;
  /** All of it is to come in one answer: what others tell does not count, neither one for a part nor that to HEAD. */
  inOneAnswer?: boolean | undefined;
}

type Extent = Pick<OriginContent, 'contentLength' | 'supportsRange'>;

/**
 * Asks for the first byte: length, validators and whether ranges work (docs/WIRE.md 3.2).
 * @throws OriginError as OriginClient.open, DFP_ORIGIN_STATUS
 */
export async function statOrigin(
  order: OriginStatOrder,
  client: OriginClient,
  signal: AbortSignal,
): Promise<OriginContent> {
  const request = { location: firstRequest(order.url, order.requestHeader), trust: order.trust, signal };
  if (order.inOneAnswer === true) {
    const answer = await openAndDrop(client, { ...request, method: 'GET' });
    if (!isWhole(answer)) throw wrongStatus(answer);
    return describe(order, answer, { contentLength: contentLengthOf(answer), supportsRange: false });
  }
  let answer = await openAndDrop(client, { ...request, method: 'GET', range: 'bytes=0-0' });
  let extent = extentOfFirstByte(answer);
  if (extent === undefined) {
    if (mayRefuseRange(answer.status)) answer = await openAndDrop(client, { ...request, method: 'GET' });
    if (!isWhole(answer)) throw wrongStatus(answer);
    const contentLength =
      contentLengthOf(answer) ??
      (await lengthByHead(client, { ...request, location: answer.location }, encodingOf(answer.headers)));
    extent = { contentLength, supportsRange: false };
  }
  return describe(order, answer, extent);
}

/** Undefined when the answer to `bytes=0-0` says nothing usable of the whole. */
function extentOfFirstByte(answer: OriginAnswer): Extent | undefined {
  if (answer.status === 206) {
    const range = parseContentRange(answer.headers['content-range']);
    return { contentLength: range?.contentLength, supportsRange: range?.offset === 0 && range.length === 1 };
  }
  const contentLength = answer.status === 416 ? unsatisfiedLengthOf(answer) : undefined;
  return contentLength === undefined ? undefined : { contentLength, supportsRange: contentLength === 0 };
}

/** Welcome where there is one: a GET without a length gives the content, whatever becomes of HEAD. */
async function lengthByHead(
  client: OriginClient,
  request: Omit<Parameters<OriginClient['open']>[0], 'method'>,
  encoding: string,
): Promise<number | undefined> {
  const waitingFor = `the answer of ${redactUrl(request.location.url)} to HEAD`;
  try {
    const answer = await withDeadline({ waitingFor, timeoutMs: HEAD_TIMEOUT_MS, signal: request.signal }, (signal) =>
      openAndDrop(client, { ...request, method: 'HEAD', signal }),
    );
    // Of something encoded on the fly HEAD tells the length that it has not encoded; of something made on the fly many a server tells 0.
    const isOfContent = isWhole(answer) && encodingOf(answer.headers) === encoding;
    const length = isOfContent ? contentLengthOf(answer) : undefined;
    return length === 0 ? undefined : length;
  } catch {
    throwIfAborted(request.signal, waitingFor);
    return undefined;
  }
}

async function openAndDrop(client: OriginClient, request: Parameters<OriginClient['open']>[0]): Promise<OriginAnswer> {
  const answer = await client.open(request);
  await drop(answer);
  return answer;
}

async function drop({ body, ...head }: OriginAnswer): Promise<void> {
  const length = contentLengthOf(head);
  if (length === undefined || length > MAX_DRAINED_BYTES) return body.cancel();
  while ((await body.read()) !== undefined);
}

function describe({ url, requestHeader, trust }: OriginStatOrder, answer: OriginAnswer, extent: Extent): OriginContent {
  const { headers, location } = answer;
  const asked = firstRequest(url, requestHeader);
  return {
    url,
    requestHeader,
    trust,
    ...extent,
    etag: headers.etag,
    lastModified: headers['last-modified'],
    responseHeader: headersOfWhole(answer, extent),
    ...(location.url === asked.url ? {} : { location }),
  };
}

/** As if all had been asked for: they are stored, and told to whoever downloads the task (docs/WIRE.md 3.1). */
function headersOfWhole({ status, headers }: OriginAnswer, { contentLength }: Extent): OriginAnswer['headers'] {
  if (status !== 206 && status !== 416) return headers;
  const whole = { ...headers };
  delete whole['content-range'];
  delete whole['content-length'];
  return contentLength === undefined ? whole : { ...whole, 'content-length': String(contentLength) };
}
