import { abortReason, sleep } from '../../src/core/deadline.js';
import { DeadlineError, DfpeerError } from '../../src/core/errors.js';
import type {
  CandidateParent,
  PeerRegistration,
  PeerSession,
  ScheduleDecision,
  SchedulerClient,
} from '../../src/scheduler-client/scheduler-client.js';
import { LIFE_PATIENCE_MS, type LifeSign } from '../../src/scheduler-client/liveness.js';
import type { Exercised } from './exercised.js';
import type { EventLog } from './event-log.js';
import type { SchedulerPlan } from './plan.js';
import type { Random } from './random.js';
import type { VirtualClock } from './virtual-clock.js';

/** The client's bound on a decision. */
const DECISION_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 3000;
const RESTART_MS = 1000;
/** Later signs find the race begun. */
const MAX_SIGN_MS = 2 * LIFE_PATIENCE_MS;
/** Others join up to so long after an answer. */
const MAX_JOIN_MS = 2000;

export interface SchedulerWorld {
  plan: SchedulerPlan;
  parents: readonly CandidateParent[];
  clock: VirtualClock;
  random: Random;
  log: EventLog;
  exercised: Exercised;
}

/** A scheduler as its client shows it: decisions, late or never, and streams that break. */
export class SimulatedScheduler implements SchedulerClient {
  readonly #world: SchedulerWorld;
  readonly #sessions = new Set<SimulatedSession>();
  readonly #registered = new Set<string>();
  #isDown = false;

  constructor(world: SchedulerWorld) {
    this.#world = world;
    const { plan, clock } = world;
    this.#isDown = plan.kind === 'unreachable';
    if (plan.kind === 'breaking') clock.script(plan.atMs, () => this.#breakAll());
    if (plan.kind === 'restarting')
      clock.script(plan.atMs, () => {
        this.#isDown = true;
        this.#breakAll();
        clock.script(RESTART_MS, () => (this.#isDown = false));
      });
  }

  get openSessions(): number {
    return this.#sessions.size;
  }

  async openSession({ peerId }: PeerRegistration): Promise<PeerSession> {
    const { plan, exercised } = this.#world;
    if (plan.kind !== 'good') exercised.fault(`scheduler: ${plan.kind}`);
    if (this.#isDown) throw new DfpeerError('DFP_SCHEDULER_UNREACHABLE', 'no scheduler is serving');
    if (this.#registered.has(peerId)) throw new DfpeerError('DFP_INTERNAL', `peer ${peerId} registers twice`);
    this.#registered.add(peerId);
    const session = new SimulatedSession(peerId, this.#world, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }

  async start(): Promise<void> {
    await Promise.resolve();
  }

  async deleteTask(): Promise<void> {
    await Promise.resolve();
  }

  status(): ReturnType<SchedulerClient['status']> {
    return [];
  }

  async stop(): Promise<void> {
    await Promise.resolve();
  }

  #breakAll(): void {
    for (const session of this.#sessions) session.break();
  }
}

class SimulatedSession implements PeerSession {
  readonly peerId: string;
  readonly #failure = new AbortController();
  readonly #world: SchedulerWorld;
  readonly #onEnded: () => void;
  readonly #blocked = new Set<string>();
  #state: 'new' | 'registered' | 'ended' = 'new';
  #onMoreParents: (parents: CandidateParent[]) => void = () => undefined;

  constructor(peerId: string, world: SchedulerWorld, onEnded: () => void) {
    this.peerId = peerId;
    this.#world = world;
    this.#onEnded = onEnded;
  }

  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  break(): void {
    this.#world.log.add(`the scheduler's stream of ${this.peerId} breaks`);
    this.#failure.abort(new DfpeerError('DFP_SCHEDULER_UNREACHABLE', 'the stream broke'));
  }

  onMoreParents(listener: (parents: CandidateParent[]) => void): void {
    this.#onMoreParents = listener;
  }

  /** A mute one is stopped, or thinks for ever. */
  expectLife(): LifeSign {
    const { plan, clock, random, exercised } = this.#world;
    if (plan.kind === 'mute' && random.chance(0.5)) {
      exercised.fault('scheduler: gives no sign of life');
      return { patienceMs: random.pick([0, LIFE_PATIENCE_MS]), seen: new Promise(() => undefined) };
    }
    const signMs = random.next() * MAX_SIGN_MS;
    return { patienceMs: LIFE_PATIENCE_MS, seen: new Promise((resolve) => clock.script(signMs, resolve)) };
  }

  async register(signal?: AbortSignal): Promise<ScheduleDecision> {
    if (this.#state !== 'new') throw new DfpeerError('DFP_INTERNAL', `peer ${this.peerId} registers twice`);
    this.#state = 'registered';
    return this.#decide(signal);
  }

  async reschedule(
    parents: readonly CandidateParent[],
    _description: string,
    signal?: AbortSignal,
  ): Promise<ScheduleDecision> {
    if (this.#state !== 'registered') throw new DfpeerError('DFP_INTERNAL', `peer ${this.peerId} is not registered`);
    for (const { peerId } of parents) this.#blocked.add(peerId);
    return this.#decide(signal);
  }

  searchParents(): void {
    const { clock, random } = this.#world;
    if (random.chance(0.5)) clock.script(random.next() * MAX_SIGN_MS, () => this.#push());
  }

  started(): void {
    this.#report('started');
  }

  backToSourceStarted(): void {
    this.#report('backToSourceStarted');
  }

  pieceFinished(): void {
    this.#report('pieceFinished');
  }

  pieceFromSourceFinished(): void {
    this.#report('pieceFromSourceFinished');
  }

  pieceFailed(): void {
    this.#report('pieceFailed');
  }

  pieceFromSourceFailed(): void {
    this.#report('pieceFromSourceFailed');
  }

  async finish(): Promise<void> {
    await this.#end();
  }

  async fail(): Promise<void> {
    await this.#end();
  }

  /** Reports that come too late are dropped by the real session; here they show. */
  #report(what: string): void {
    if (this.#state !== 'registered') this.#world.log.add(`${this.peerId} reports ${what} while ${this.#state}`);
  }

  async #end(): Promise<void> {
    this.#state = 'ended';
    await sleep(this.#world.random.next() * END_TIMEOUT_MS, undefined, this.#world.clock);
    this.#onEnded();
  }

  /** Parents that have joined meanwhile, known ones among them, also for who was sent to the origin before. */
  #push(): void {
    const { plan, parents, random, log, exercised } = this.#world;
    const joined = random.shuffled(parents.filter(({ peerId }) => !this.#blocked.has(peerId))).slice(0, 2);
    const tells = plan.kind === 'good' || plan.kind === 'to-source';
    if (!tells || joined.length === 0 || this.#state !== 'registered' || this.failed.aborted) return;
    exercised.fault('scheduler: tells of more parents');
    log.add(`the scheduler tells ${this.peerId} of ${joined.map(({ peerId }) => peerId).join(' ')}`);
    this.#onMoreParents(joined);
  }

  async #decide(signal: AbortSignal | undefined): Promise<ScheduleDecision> {
    const { plan, clock, random, parents, log } = this.#world;
    const wait = new AbortController();
    const abort = (): void => wait.abort(abortReason(signal?.aborted === true ? signal : this.failed, 'the decision'));
    if (signal?.aborted === true || this.failed.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    this.failed.addEventListener('abort', abort, { once: true });
    try {
      const delayMs = plan.kind === 'mute' ? DECISION_TIMEOUT_MS : random.next() * (plan.kind === 'slow' ? 9000 : 100);
      await sleep(delayMs, wait.signal, clock);
      if (plan.kind === 'mute') throw new DeadlineError('the decision of the scheduler', DECISION_TIMEOUT_MS);
      const decision = choose(
        plan,
        parents.filter(({ peerId }) => !this.#blocked.has(peerId)),
        random,
      );
      log.add(
        `the scheduler decides for ${this.peerId}: ${decision.kind}${decision.kind === 'parents' ? ` ${decision.parents.map(({ peerId }) => peerId).join(' ')}` : ''}`,
      );
      if (decision.kind !== 'empty') clock.script(random.between(0, MAX_JOIN_MS), () => this.#push());
      return decision;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.failed.removeEventListener('abort', abort);
    }
  }
}

function choose(plan: SchedulerPlan, free: readonly CandidateParent[], random: Random): ScheduleDecision {
  if (plan.kind === 'empty') return { kind: 'empty' };
  if (plan.kind === 'no-parents') return { kind: 'parents', parents: [] };
  const chosen = random.shuffled(free).slice(0, random.between(1, 4));
  if (plan.kind === 'to-source' || chosen.length === 0)
    return { kind: 'back-to-source', description: 'no parent is there' };
  return { kind: 'parents', parents: chosen };
}
