import { OriginError } from '../../src/core/errors.js';
import type { ByteRange } from '../../src/core/piece.js';
import type { OriginContent, OriginTrust } from '../../src/peer/fetch/piece-fetcher.js';
import type { Exercised } from './exercised.js';
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
  readonly versions: readonly [Version, ...Version[]];
  readonly #plan: OriginPlan;
  readonly #random: Random;
  readonly #log: EventLog;
  readonly #exercised: Exercised;
  #current: Version;
  #changedAtMs: number[] = [];

  constructor(
    plan: OriginPlan,
    versions: readonly [Version, ...Version[]],
    { random, log, exercised }: { random: Random; log: EventLog; exercised: Exercised },
  ) {
    this.#plan = plan;
    this.versions = versions;
    this.#current = versions[0];
    this.#random = random;
    this.#log = log;
    this.#exercised = exercised;
  }

  get currentVersion(): number {
    return this.#current.index;
  }

  /** What it had then. */
  versionAt(atMs: number): Version {
    const changes = this.#changedAtMs.filter((changedAtMs) => changedAtMs <= atMs).length;
    return this.versions[changes] ?? this.#current;
  }

  change(): void {
    this.#exercised.fault('origin: the content changes');
    if (this.#plan.validator === 'none') this.#exercised.fault('origin: the content changes unseen');
    this.#changedAtMs.push(this.#log.clock.monotonicMs());
    this.#current = this.versions[this.#current.index + 1] ?? this.#current;
    this.#log.add(`the origin has version ${this.#current.index} now, ${this.#current.bytes.length} bytes`);
  }

  stat(request: { url: string; requestHeader: Readonly<Record<string, string>>; trust: OriginTrust }): {
    answer: Answer;
    content: OriginContent;
  } {
    const { index, bytes } = this.#current;
    const { supportsRange, tellsLength, validator } = this.#plan;
    if (!supportsRange) this.#exercised.fault('origin: never takes ranges');
    if (!tellsLength) this.#exercised.fault('origin: tells no length');
    if (validator === 'none') this.#exercised.fault('origin: tells no validator');
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
    const differs = <T>(one: T | undefined, other: T | undefined): boolean =>
      one !== undefined && other !== undefined && one !== other;
    const changed =
      differs(now.etag, origin.etag) ||
      differs(now.lastModified, origin.lastModified) ||
      differs(bytes.length, origin.contentLength);
    if (range !== undefined && answer.refusal === undefined && this.#random.chance(this.#plan.ignoresRangeRate)) {
      this.#note('ignores a range');
      answer.refusal = new OriginError('DFP_ORIGIN_RANGE', 'the origin ignores Range');
    }
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
    if (isDown) this.#note('is down');
    if (isDown) answer.refusal = new OriginError('DFP_ORIGIN_UNREACHABLE', 'the origin refuses connections');
    else if (this.#random.chance(faultRate)) this.#spoil(answer);
    return answer;
  }

  #spoil(answer: Answer): void {
    const cut = this.#random.between(0, answer.bytes.length);
    const breakOff = (end: Answer['end']): void => {
      answer.bytes = answer.bytes.subarray(0, cut);
      answer.end = end;
    };
    const spoilers: [[string, () => void], ...[string, () => void][]] = [
      ['answers with an error', () => this.#refuse(answer)],
      ['announces a wrong length', () => (answer.refusal = wrongLength('announces a wrong length'))],
      ['never answers', () => (answer.headMs = Number.MAX_SAFE_INTEGER)],
      ['trickles', () => (answer.msPerChunk = this.#plan.trickleMs)],
      ['falls silent', () => breakOff('stalls')],
      ['ends too early', () => breakOff(wrongLength('ends too early'))],
      [
        'resets the connection',
        () => breakOff(new OriginError('DFP_ORIGIN_UNREACHABLE', 'the origin resets the connection')),
      ],
    ];
    const [name, spoil] = this.#random.pick(spoilers);
    this.#note(name);
    spoil();
  }

  #refuse(answer: Answer): void {
    const status = this.#random.pick([500, 502, 503, 503, 429, 404]);
    const retryAfter = this.#random.pick([undefined, '0', '2', '3600']);
    const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
    this.#note(`status ${status}`);
    if (retryAfter === '0') this.#note('asks to come back at once');
    answer.refusal = new OriginError('DFP_ORIGIN_STATUS', `the origin answers ${status}`, { status, headers });
  }

  #note(what: string): void {
    this.#exercised.fault(`origin: ${what}`);
    this.#log.add(`origin fault: ${what}`);
  }
}

function wrongLength(what: string): OriginError {
  return new OriginError('DFP_ORIGIN_LENGTH', `the origin ${what}`);
}

/** What the origin says of a version of its content. */
export function validatorsOf({ validator }: OriginPlan, index: number): Pick<OriginContent, 'etag' | 'lastModified'> {
  return {
    etag: validator === 'etag' ? `"v${index}"` : undefined,
    lastModified: validator === 'last-modified' ? `version ${index}` : undefined,
  };
}
