import { formatRangeHeader } from '../../../core/byte-range.js';
import { errnoOf, hasCode, OriginError } from '../../../core/errors.js';
import type { ByteRange } from '../../../core/piece.js';
import { redactUrl } from '../../../core/redact.js';
import type { OriginContent, OriginLocation } from '../piece-fetcher.js';
import { checkRangeAnswer, checkWholeAnswer } from './answer-checks.js';
import type { OriginClient } from './origin-client.js';
import type { OriginAnswer } from './origin-exchange.js';
import { firstRequest } from './request-headers.js';

export interface OpenOriginRequest {
  origin: OriginContent;
  client: OriginClient;
  signal: AbortSignal;
  /** Absent: the whole content. */
  range?: ByteRange;
}

/**
 * Asks a known origin for a range or everything, where its redirects led before if they did.
 * @throws OriginError when the answer is not of the content that was found before, or not what was asked
 */
export async function openOrigin(request: OpenOriginRequest): Promise<OriginAnswer> {
  const { origin } = request;
  const first = firstRequest(origin.url, origin.requestHeader);
  if (origin.location === undefined) return ask(request, first);
  try {
    return await ask(request, origin.location);
  } catch (error) {
    // Where a redirect led may be good for minutes only (signed URLs), or a mirror that is gone: ask the original URL again.
    if (!hasCode(error, 'DFP_ORIGIN_STATUS') && !hasCode(error, 'DFP_ORIGIN_UNREACHABLE')) throw error;
    return ask(request, first);
  }
}

/**
 * The next bytes of an answer; undefined at its end.
 * @throws OriginError DFP_ORIGIN_UNREACHABLE for a broken connection, DFP_ORIGIN_LENGTH for a body that ends too early
 */
export async function readBody(answer: OriginAnswer, bytesBefore: number): Promise<Uint8Array[] | undefined> {
  try {
    return await answer.body.read();
  } catch (error) {
    const isBroken = !(error instanceof OriginError) || errnoOf(error.cause) !== undefined;
    if (isBroken) throw error;
    throw lengthError(answer, `ended its answer too early, after ${bytesBefore} bytes`, error);
  }
}

export function lengthError({ status, headers, location }: OriginAnswer, what: string, cause?: unknown): OriginError {
  const text = `origin ${redactUrl(location.url)} ${what}`;
  return new OriginError('DFP_ORIGIN_LENGTH', text, { status, headers }, { cause });
}

async function ask(
  { origin, client, signal, range }: OpenOriginRequest,
  location: OriginLocation,
): Promise<OriginAnswer> {
  const bytes = range && formatRangeHeader(range);
  const answer = await client.open({ method: 'GET', location, range: bytes, trust: origin.trust, signal });
  try {
    if (range === undefined) checkWholeAnswer(answer, origin);
    else checkRangeAnswer(answer, origin, range);
    return answer;
  } catch (error) {
    answer.body.cancel();
    throw error;
  }
}
