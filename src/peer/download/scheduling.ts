import { throwIfAborted } from '../../core/deadline.js';
import { DfpeerError, toDfpeerError } from '../../core/errors.js';
import type { ByteRange } from '../../core/piece.js';
import type { LifeSign } from '../../scheduler-client/liveness.js';
import type {
  CandidateParent,
  PeerRegistration,
  PeerSession,
  ScheduleDecision,
  SchedulerClient,
} from '../../scheduler-client/scheduler-client.js';
import type { StoredTask } from '../store/stored-task.js';
import type { DownloadDependencies } from './dependencies.js';
import type { DownloadRequest, DownloadSettings } from './download-request.js';

/** What to do next. */
export type Schedule = { kind: 'parents'; parents: CandidateParent[] } | { kind: 'origin'; reason: string };

export interface QuestionContext {
  /** Hears how to tell that the scheduler lives, as soon as it is asked. */
  onAsked: (sign: LifeSign) => void;
  signal: AbortSignal;
}

/** One download's standing with the scheduler. Whatever goes wrong there becomes a reason to use the origin, never a failure. */
export class Scheduling {
  readonly #dependencies: DownloadDependencies;
  #session: PeerSession | undefined;
  #schedules = 0;
  /** The question under way: the session can't say goodbye before its end. */
  #question: Promise<unknown> | undefined;

  constructor(dependencies: DownloadDependencies) {
    this.#dependencies = dependencies;
  }

  /** Takes reports; undefined while nobody listens. */
  get session(): PeerSession | undefined {
    return this.#session;
  }

  /** `onMoreParents` hears of parents that join later. Rejects with the signal's reason only. */
  async register(
    scheduler: SchedulerClient,
    registration: PeerRegistration,
    { onMoreParents, onAsked, signal }: QuestionContext & { onMoreParents: (parents: CandidateParent[]) => void },
  ): Promise<Schedule> {
    return this.#ask(signal, async () => {
      const session = await scheduler.openSession(registration);
      this.#session = session;
      session.onMoreParents(onMoreParents);
      onAsked(session.expectLife());
      return session.register(signal);
    });
  }

  /** `failed` parents are blocked for this peer. Rejects with the signal's reason only. */
  async reschedule(failed: readonly CandidateParent[], { onAsked, signal }: QuestionContext): Promise<Schedule> {
    const session = this.#session;
    if (session === undefined || session.failed.aborted)
      return { kind: 'origin', reason: 'no parent is left, and the scheduler is gone' };
    if (this.#schedules >= this.#dependencies.settings.maxScheduleCount)
      return { kind: 'origin', reason: `no parent could give the rest after ${this.#schedules} schedules` };
    onAsked(session.expectLife());
    return this.#ask(signal, () => session.reschedule(failed, 'parents did not give all pieces', signal));
  }

  /** Tells the scheduler how it ended; bounded, and of no consequence for the download. A question under way must have been aborted. */
  async close(how: 'parents' | 'source', failure: DfpeerError | undefined): Promise<void> {
    const question = this.#question;
    await question?.catch(() => undefined);
    const session = this.#session;
    this.#session = undefined;
    try {
      if (question !== undefined && how === 'source') session?.backToSourceStarted('the scheduler did not answer');
      if (failure === undefined) await session?.finish(how);
      else await session?.fail(how, `${failure.code}: ${failure.message}`);
    } catch (error) {
      this.#dependencies.logger.debug({ err: error }, 'the scheduler stream did not end well');
    }
  }

  async #ask(signal: AbortSignal, question: () => Promise<ScheduleDecision>): Promise<Schedule> {
    try {
      const decision = await (this.#question = question());
      this.#question = undefined;
      this.#schedules++;
      if (decision.kind === 'parents') return decision;
      // An "empty" task is the scheduler's belief; the origin told us its length.
      return {
        kind: 'origin',
        reason: `the scheduler says: ${decision.kind === 'back-to-source' ? decision.description : decision.kind}`,
      };
    } catch (thrown) {
      throwIfAborted(signal, 'the download');
      this.#question = undefined;
      const error = toDfpeerError(thrown, 'DFP_SCHEDULER_UNREACHABLE');
      this.#dependencies.logger.warn({ code: error.code }, `no help from the scheduler: ${error.message}`);
      return { kind: 'origin', reason: error.message };
    }
  }
}

export function makeRegistration(
  request: DownloadRequest,
  task: StoredTask,
  extra: { peerId: string; range: ByteRange | undefined; disableBackToSource: boolean; settings: DownloadSettings },
): PeerRegistration {
  const { layout } = task;
  if (layout === undefined)
    throw new DfpeerError('DFP_INTERNAL', `task ${task.taskId} has no known length and can't be registered`);
  const { url, digest, tag, application, priority, filteredQueryParams, requestHeader, pieceLength } = request;
  return {
    taskId: task.taskId,
    peerId: extra.peerId,
    url,
    digest,
    tag,
    application,
    priority,
    filteredQueryParams,
    requestHeader,
    range: extra.range,
    pieceLength,
    concurrentPieceCount: extra.settings.concurrentPieceCount,
    actualContentLength: layout.contentLength,
    actualPieceLength: layout.pieceLength,
    actualPieceCount: layout.count,
    needBackToSource: request.needBackToSource,
    disableBackToSource: extra.disableBackToSource,
    metadataOnly: false,
  };
}
