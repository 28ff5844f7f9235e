import { sleep } from '../../src/core/deadline.js';
import { DfpeerError } from '../../src/core/errors.js';
import { PieceLayout, type PieceSlice } from '../../src/core/piece.js';
import { ParentRefusedError } from '../../src/peer/fetch/fetch-errors.js';
import type { PieceOffer } from '../../src/peer/parents/parent-dialer.js';
import { contentVersionOf } from '../../src/peer/store/content-version.js';
import type { CandidateParent } from '../../src/scheduler-client/scheduler-client.js';
import type { Answer } from './exchange.js';
import type { ParentPlan, Plan } from './plan.js';
import type { Random } from './random.js';
import { type SimulatedOrigin, validatorsOf, type Version } from './simulated-origin.js';
import type { Surroundings } from './surroundings.js';
import type { VirtualClock } from './virtual-clock.js';

/** The dialer's bound on the connection. */
const CONNECT_TIMEOUT_MS = 5000;
/** How long after the origin a parent that follows it starts anew, at most. */
const MAX_LAG_MS = 500;

/** Another peer that has, or pretends to have, one version of the content. */
export class SimulatedParent {
  readonly candidate: CandidateParent;
  readonly #plan: ParentPlan;
  readonly #world: Plan;
  readonly #origin: SimulatedOrigin;
  readonly #fault: (what: string) => void;
  readonly #random: Random;
  readonly #lagMs: number;

  constructor(number: number, plan: ParentPlan, { plan: world, origin, exercised }: Surroundings, random: Random) {
    this.#plan = plan;
    this.#world = world;
    this.#origin = origin;
    this.#fault = (what) => exercised.fault(`parent: ${what}`);
    this.#random = random;
    this.#lagMs = random.next() * MAX_LAG_MS;
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
  async *offers(
    pieces: readonly number[],
    clock: VirtualClock,
    signal: AbortSignal,
    onAnswer: () => void = () => undefined,
  ): AsyncGenerator<PieceOffer> {
    await this.#connect(clock, signal, onAnswer);
    const { kind, faultRate } = this.#plan;
    const version = this.#versionAt(clock);
    const layout = new PieceLayout(version.bytes.length, this.#world.pieceLength);
    const numbers = pieces.filter((number) => layout.has(number));
    let left = kind === 'half-closed' ? this.#random.between(0, numbers.length) : numbers.length;
    if (left < numbers.length) this.#fault('ends its offers early');
    for (const number of kind === 'reordering' ? this.#disordered(numbers) : numbers) {
      if (left-- <= 0) return;
      const isStillDownloading = kind === 'growing' || (kind === 'following' && faultRate === 1);
      const pauseMs = this.#random.next() * (isStillDownloading ? 500 : 1);
      await sleep(pauseMs, signal, clock).catch(() => undefined);
      if (signal.aborted && kind !== 'reordering') return;
      if (signal.aborted) this.#fault('offers after we hung up');
      const isRestarted = this.#versionAt(clock) !== version;
      if (isRestarted || (kind === 'breaking' && this.#random.chance(faultRate))) {
        this.#fault(isRestarted ? 'starts anew in mid-stream' : 'its stream breaks');
        throw new DfpeerError('DFP_PARENT_UNREACHABLE', `the stream of ${this.candidate.peerId} broke`);
      }
      yield this.#offer(layout.slice(number), version);
    }
    if (kind === 'silent') await untilAborted(signal);
  }

  answer(slice: PieceSlice, clock: VirtualClock): Answer {
    const { kind, latencyMs, msPerChunk } = this.#plan;
    const version = this.#versionAt(clock);
    const answer: Answer = {
      headMs: this.#random.next() * latencyMs,
      bytes: Buffer.from(version.bytes.subarray(slice.offset, slice.offset + slice.length)),
      chunkBytes: 64,
      msPerChunk: (kind === 'slow' ? 100 : kind === 'following' ? 3 : 1) * msPerChunk,
      end: 'complete',
      contentVersion: this.#plan.tellsVersionWithPieces ? this.#contentVersionOf(version) : undefined,
    };
    const doing = `piece ${slice.number} from ${this.candidate.peerId}`;
    if (version.index > 0) this.#fault('has the new version');
    if (answer.bytes.length < slice.length) {
      answer.refusal = new ParentRefusedError(`${doing}: no such range`, { status: 416 });
      return answer;
    }
    if (kind === 'slow') this.#fault('slow');
    if (kind === 'dead') answer.headMs = Number.MAX_SAFE_INTEGER;
    if (kind === 'refusing') answer.refusal = new DfpeerError('DFP_PARENT_UNREACHABLE', `${doing}: connection refused`);
    if (this.#random.chance(this.#plan.faultRate)) this.#spoil(answer, doing);
    return answer;
  }

  /** What happens now and then, by the kind of the parent. */
  #spoil(answer: Answer, doing: string): void {
    const { bytes } = answer;
    const cut = this.#random.between(0, Math.max(0, bytes.length - 1));
    const cutShort = (end: Answer['end']): void => {
      answer.bytes = bytes.subarray(0, cut);
      answer.end = end;
    };
    switch (this.#plan.kind) {
      case 'busy': {
        const retryAfterMs = this.#random.pick([0, 500, 60_000]);
        this.#fault(retryAfterMs === 0 ? 'busy, asks to come back at once' : 'busy, asks to come back later');
        answer.refusal = new ParentRefusedError(`${doing}: come back later`, { status: 429, retryAfterMs });
        return;
      }
      case 'forgetful':
        this.#fault('refuses what it offered');
        answer.refusal = new ParentRefusedError(`${doing}: gone`, { status: 404 });
        return;
      case 'lying':
        if (bytes.length === 0) return;
        this.#fault('lies');
        bytes[cut] = (bytes[cut] ?? 0) ^ 0xff;
        answer.end = new DfpeerError('DFP_PIECE_DIGEST', `${doing} is not what was announced`);
        return;
      case 'trickling':
        this.#fault('trickles');
        answer.msPerChunk = this.#world.origin.trickleMs;
        return;
      case 'stalling':
        this.#fault('falls silent in mid-piece');
        return cutShort('stalls');
      case 'half-closed':
      case 'breaking':
        this.#fault('closes in mid-piece');
        return cutShort(new DfpeerError('DFP_PARENT_UNREACHABLE', `${doing}: closed early`));
      default:
    }
  }

  async #connect(clock: VirtualClock, signal: AbortSignal, onAnswer: () => void): Promise<void> {
    const { kind, latencyMs } = this.#plan;
    if (kind === 'dead' || kind === 'refusing' || kind === 'silent') this.#fault(kind);
    await sleep(kind === 'dead' ? CONNECT_TIMEOUT_MS : latencyMs, signal, clock);
    if (kind === 'dead' || kind === 'refusing')
      throw new DfpeerError('DFP_PARENT_UNREACHABLE', `${this.candidate.peerId} does not answer`);
    if (kind === 'silent') await untilAborted(signal);
    onAnswer();
  }

  #versionAt(clock: VirtualClock): Version {
    const [first] = this.#origin.versions;
    return this.#plan.kind === 'following' ? this.#origin.versionAt(clock.monotonicMs() - this.#lagMs) : first;
  }

  #contentVersionOf({ index }: Version): string | undefined {
    return this.#plan.tellsVersion ? contentVersionOf(validatorsOf(this.#world.origin, index)) : undefined;
  }

  #disordered(numbers: readonly number[]): number[] {
    this.#fault('reorders and repeats its offers');
    return this.#random.shuffled([...numbers, ...numbers.filter(() => this.#random.chance(0.3))]);
  }

  #offer(slice: PieceSlice, version: Version): PieceOffer {
    const { ip: host, port } = this.candidate;
    const offer: PieceOffer = {
      ...slice,
      endpoint: { protocol: 'http', host, port },
      contentVersion: this.#contentVersionOf(version),
    };
    if (this.#plan.kind !== 'misoffering' || !this.#random.chance(this.#plan.faultRate)) return offer;
    this.#fault('offers what can not be');
    return this.#random.pick([
      { ...offer, number: offer.number + 1000 },
      { ...offer, offset: offer.offset + 1 },
      { ...offer, length: offer.length + 1 },
    ]);
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
