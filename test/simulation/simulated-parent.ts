import { sleep } from '../../src/core/deadline.js';
import { DfpeerError } from '../../src/core/errors.js';
import { PieceLayout, type PieceSlice } from '../../src/core/piece.js';
import { ParentRefusedError } from '../../src/peer/fetch/fetch-errors.js';
import type { PieceOffer } from '../../src/peer/parents/parent-dialer.js';
import type { CandidateParent } from '../../src/scheduler-client/scheduler-client.js';
import type { Answer } from './exchange.js';
import type { ParentPlan } from './plan.js';
import type { Random } from './random.js';
import type { Version } from './simulated-origin.js';
import type { VirtualClock } from './virtual-clock.js';

/** The dialer's bound on the connection. */
const CONNECT_TIMEOUT_MS = 5000;

/** Another peer that has, or pretends to have, one version of the content. */
export class SimulatedParent {
  readonly candidate: CandidateParent;
  readonly #plan: ParentPlan;
  readonly #version: Version;
  readonly #layout: PieceLayout;
  readonly #random: Random;
  readonly #contentVersion: string | undefined;

  constructor(
    number: number,
    plan: ParentPlan,
    content: { version: Version; pieceLength: number; contentVersion: string | undefined },
    random: Random,
  ) {
    const { version, pieceLength, contentVersion } = content;
    this.#contentVersion = plan.tellsVersion ? contentVersion : undefined;
    this.#plan = plan;
    this.#version = version;
    this.#layout = new PieceLayout(version.bytes.length, pieceLength);
    this.#random = random;
    this.candidate = {
      peerId: `parent-${number}-${plan.kind}`,
      hostId: `host-${number}`,
      hostname: `host-${number}`,
      ip: '192.0.2.1',
      port: 1000 + number,
      isSeed: false,
      state: 'Running',
      maxTxBitsPerSecond: random.pick([0, 1e9, 10e9]),
      txBitsPerSecond: random.pick([0, 1e9]),
      wire: new Uint8Array(),
    };
  }

  /** As the real dialer's streams behave: ends quietly once aborted, but may yield what it has in hand. */
  async *offers(pieces: readonly number[], clock: VirtualClock, signal: AbortSignal): AsyncGenerator<PieceOffer> {
    await this.#connect(clock, signal);
    const numbers = pieces.filter((number) => this.#layout.has(number));
    let left = this.#plan.kind === 'half-closed' ? this.#random.between(0, numbers.length) : numbers.length;
    for (const number of this.#plan.kind === 'reordering' ? this.#disordered(numbers) : numbers) {
      if (left-- <= 0) return;
      await sleep(this.#plan.kind === 'growing' ? this.#random.next() * 500 : this.#random.next(), signal, clock).catch(
        () => undefined,
      );
      if (signal.aborted && this.#plan.kind !== 'reordering') return;
      if (this.#plan.kind === 'breaking' && this.#random.chance(this.#plan.faultRate))
        throw new DfpeerError('DFP_PARENT_UNREACHABLE', `the stream of ${this.candidate.peerId} broke`);
      yield this.#offer(number);
    }
    if (this.#plan.kind === 'silent') await untilAborted(signal);
  }

  answer(slice: PieceSlice): Answer {
    const { kind, latencyMs, msPerChunk, faultRate } = this.#plan;
    const bytes = Buffer.from(this.#version.bytes.subarray(slice.offset, slice.offset + slice.length));
    const answer: Answer = {
      headMs: this.#random.next() * latencyMs,
      bytes,
      chunkBytes: 64,
      msPerChunk: kind === 'slow' ? 100 * msPerChunk : msPerChunk,
      end: 'complete',
    };
    const faulty = this.#random.chance(faultRate);
    const cut = this.#random.between(0, Math.max(0, bytes.length - 1));
    const doing = `piece ${slice.number} from ${this.candidate.peerId}`;
    if (kind === 'dead') answer.headMs = Number.MAX_SAFE_INTEGER;
    if (kind === 'refusing') answer.refusal = new DfpeerError('DFP_PARENT_UNREACHABLE', `${doing}: connection refused`);
    if (kind === 'busy' && faulty)
      answer.refusal = new ParentRefusedError(`${doing}: come back later`, {
        status: 429,
        retryAfterMs: this.#random.pick([0, 500, 60_000]),
      });
    if (kind === 'forgetful' && faulty) answer.refusal = new ParentRefusedError(`${doing}: gone`, { status: 404 });
    if (kind === 'lying' && faulty && bytes.length > 0) {
      bytes[cut] = (bytes[cut] ?? 0) ^ 0xff;
      answer.end = new DfpeerError('DFP_PIECE_DIGEST', `${doing} is not what was announced`);
    }
    if ((kind === 'half-closed' || kind === 'breaking' || kind === 'stalling') && faulty) {
      answer.bytes = bytes.subarray(0, cut);
      answer.end = kind === 'stalling' ? 'stalls' : new DfpeerError('DFP_PARENT_UNREACHABLE', `${doing}: closed early`);
    }
    return answer;
  }

  async #connect(clock: VirtualClock, signal: AbortSignal): Promise<void> {
    const { kind, latencyMs } = this.#plan;
    await sleep(kind === 'dead' ? CONNECT_TIMEOUT_MS : latencyMs, signal, clock);
    if (kind === 'dead' || kind === 'refusing')
      throw new DfpeerError('DFP_PARENT_UNREACHABLE', `${this.candidate.peerId} does not answer`);
    if (kind === 'silent') await untilAborted(signal);
  }

  #disordered(numbers: readonly number[]): number[] {
    return this.#random.shuffled([...numbers, ...numbers.filter(() => this.#random.chance(0.3))]);
  }

  #offer(number: number): PieceOffer {
    const slice = this.#layout.slice(number);
    const { ip: host, port } = this.candidate;
    const offer: PieceOffer = {
      ...slice,
      endpoint: { protocol: 'http', host, port },
      contentVersion: this.#contentVersion,
    };
    if (this.#plan.kind !== 'misoffering' || !this.#random.chance(this.#plan.faultRate)) return offer;
    return this.#random.pick([
      { ...offer, number: number + 1000 },
      { ...offer, offset: offer.offset + 1 },
      { ...offer, length: offer.length + 1 },
    ]);
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
