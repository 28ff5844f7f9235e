import { OriginError } from '../../src/core/errors.js';
import type { ByteRange } from '../../src/core/piece.js';
import type { OriginContent, OriginTrust } from '../../src/peer/fetch/piece-fetcher.js';
import type { EventLog } from './event-log.js';
import type { Answer } from './exchange.js';
import type { OriginPlan } from './plan.js';
import type { Random } from './random.js';

/** One state of the content. */
export interface Version {
  index: number;
  bytes: Buffer;
}

/** An HTTP server whose content may change, with the answers that the real fetcher makes errors of. */
export class SimulatedOrigin {
  readonly versions: readonly Version[];
  readonly #plan: OriginPlan;
  readonly #random: Random;
  readonly #log: EventLog;
  #current: Version;

  constructor(plan: OriginPlan, versions: readonly [Version, ...Version[]], random: Random, log: EventLog) {
    this.#plan = plan;
    this.versions = versions;
    this.#current = versions[0];
    this.#random = random;
    this.#log = log;
  }

  get currentVersion(): number {
    return this.#current.index;
  }

  change(): void {
    this.#current = this.versions[this.#current.index + 1] ?? this.#current;
    this.#log.add(`the origin has version ${this.#current.index} now, ${this.#current.bytes.length} bytes`);
  }

  stat(request: { url: string; requestHeader: Readonly<Record<string, string>>; trust: OriginTrust }): {
    answer: Answer;
    content: OriginContent;
  } {
    const { index, bytes } = this.#current;
    const { supportsRange, tellsLength } = this.#plan;
    const content: OriginContent = {
      ...request,
      contentLength: tellsLength ? bytes.length : undefined,
      ...validatorsOf(this.#plan, index),
      supportsRange: supportsRange && tellsLength,
      responseHeader: {},
    };
    return { answer: this.#answer(Buffer.alloc(0)), content };
  }

  /** Without a range: everything. */
  get(origin: OriginContent, range: ByteRange | undefined): Answer {
    const { index, bytes } = this.#current;
    const answer = this.#answer(
      range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length),
    );
    const now = validatorsOf(this.#plan, index);
    const changed =
      now.etag !== origin.etag ||
      now.lastModified !== origin.lastModified ||
      (origin.contentLength !== undefined && origin.contentLength !== bytes.length);
    if (changed) answer.refusal ??= new OriginError('DFP_ORIGIN_CHANGED', 'the origin has another content now');
    return answer;
  }

  #answer(bytes: Buffer): Answer {
    const { latencyMs, msPerChunk, faultRate, isDown } = this.#plan;
    const answer: Answer = {
      headMs: this.#random.next() * latencyMs,
      bytes,
      chunkBytes: 64,
      msPerChunk,
      end: 'complete',
    };
    if (isDown) answer.refusal = new OriginError('DFP_ORIGIN_UNREACHABLE', 'the origin refuses connections');
    else if (this.#random.chance(faultRate)) this.#spoil(answer);
    return answer;
  }

  #spoil(answer: Answer): void {
    const status = this.#random.pick([500, 502, 503, 503, 429, 404]);
    const headers: Record<string, string> = this.#random.chance(0.5) ? { 'retry-after': '2' } : {};
    const cut = this.#random.between(0, answer.bytes.length);
    const spoilers: [() => void, ...(() => void)[]] = [
      () =>
        (answer.refusal = new OriginError('DFP_ORIGIN_STATUS', `the origin answers ${status}`, { status, headers })),
      () => (answer.refusal = new OriginError('DFP_ORIGIN_RANGE', 'the origin ignores Range')),
      () => (answer.refusal = new OriginError('DFP_ORIGIN_LENGTH', 'the origin announces a wrong length')),
      () => (answer.headMs = Number.MAX_SAFE_INTEGER),
      () => {
        answer.bytes = answer.bytes.subarray(0, cut);
        answer.end = this.#random.pick<Answer['end']>([
          'stalls',
          new OriginError('DFP_ORIGIN_UNREACHABLE', 'the origin resets the connection'),
          new OriginError('DFP_ORIGIN_LENGTH', 'the origin ends too early'),
        ]);
      },
    ];
    this.#random.pick(spoilers)();
    this.#log.add(
      `origin fault: ${answer.refusal?.message ?? (typeof answer.end === 'string' ? 'no answer, or a stall' : answer.end.message)}`,
    );
  }
}

/** What the origin says of a version of its content. */
export function validatorsOf({ validator }: OriginPlan, index: number): Pick<OriginContent, 'etag' | 'lastModified'> {
  return {
    etag: validator === 'etag' ? `"v${index}"` : undefined,
    lastModified: validator === 'last-modified' ? `version ${index}` : undefined,
  };
}
