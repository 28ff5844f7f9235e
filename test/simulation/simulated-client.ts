import { DfpeerError, UsageError } from '../../src/core/errors.js';
import type { ByteRange } from '../../src/core/piece.js';
import type { DownloadHandle, DownloadManager } from '../../src/peer/download/download-manager.js';
import type { DownloadRequest } from '../../src/peer/download/download-request.js';
import type { StoredTask } from '../../src/peer/store/stored-task.js';
import { checkOneVersion, checkPieces } from './checks.js';
import { isHealthy, mustSucceed, tellsChanges, type ClientPlan } from './plan.js';
import { TASK_ID, TASK_URL, type Surroundings } from './surroundings.js';
import type { VirtualClock } from './virtual-clock.js';

interface Context {
  world: Surroundings;
  clock: VirtualClock;
  onTask: (task: StoredTask) => void;
}

/** One who asks for the task, or a range of it, and may go away before it is there. */
export class SimulatedClient {
  readonly name: string;
  readonly plan: ClientPlan;
  readonly #context: Context;
  #hasJoined = false;
  readonly #range: ((contentLength: number) => ByteRange) | undefined;
  /** `ok`, `left`, or the code of the error; undefined before the end. */
  outcome: string | undefined;
  #refusal: unknown;

  constructor(name: string, plan: ClientPlan, context: Context) {
    this.name = name;
    this.plan = plan;
    this.#context = context;
    this.#range = plan.range === undefined ? undefined : resolveRange(plan.range);
  }

  get isWaiting(): boolean {
    return this.#hasJoined && this.outcome === undefined;
  }

  join(manager: DownloadManager): void {
    const { world, clock, onTask } = this.#context;
    this.#hasJoined = true;
    if (manager.size > 0) world.exercised.fault('client: joins a running download');
    world.log.add(`${this.name} joins`);
    try {
      const handle = manager.start(this.#request(), (task) => {
        this.#checkRange(task);
        onTask(task);
      });
      this.#await(handle);
      const { joinAtMs, leaveAtMs } = this.plan;
      if (leaveAtMs !== undefined) clock.script(leaveAtMs - joinAtMs, () => this.#leave(handle));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** After the end: whether it should have been another. */
  judge(): void {
    const { world } = this.#context;
    const { outcome, plan } = this;
    const isOwnWish = plan.disableBackToSource && outcome === 'DFP_BACK_TO_SOURCE_DISABLED';
    const isLegal = (plan.range?.from ?? 0) < 1 && (plan.range === undefined || !world.plan.contentLengths.includes(0));
    if (isLegal && !isOwnWish && mustSucceed(world.plan) && outcome !== 'ok' && outcome !== 'left')
      world.failures.push(`${this.name} failed with ${outcome ?? 'nothing'} although origin and disk are in order`);
    if (isHealthy(world.plan.disk) && (outcome === 'DFP_STORE_IO' || outcome === 'DFP_STORE_FULL'))
      world.failures.push(`${this.name} failed with ${outcome} although the disk is in order`);
    if (!plan.disableBackToSource && outcome === 'DFP_BACK_TO_SOURCE_DISABLED')
      world.failures.push(`${this.name} was refused the origin for what another client asked`);
    if (isLegal && outcome === 'DFP_INVALID_ARGUMENT')
      world.failures.push(`${this.name} was refused for what another client asked`);
  }

  #await(handle: DownloadHandle): void {
    handle.done.then(
      (task) => {
        if (this.outcome === 'left') return;
        this.#checkRange(task);
        if (this.#refusal !== undefined) this.#fail(this.#refusal);
        else {
          this.#end('ok');
          this.#checkResult(task);
        }
        handle.leave();
      },
      (error: unknown) => {
        if (this.outcome === 'left') return;
        this.#fail(error);
        handle.leave();
      },
    ); // prettier-ignore
  }

  /** As the gRPC service: a range that does not fit is told to this client alone. */
  #checkRange({ layout }: StoredTask): void {
    try {
      if (layout !== undefined) this.#range?.(layout.contentLength);
      this.#refusal = undefined;
    } catch (error) {
      this.#refusal = error;
      this.#context.world.exercised.fault('client: asks for a range beyond the end');
    }
  }

  #leave(handle: DownloadHandle): void {
    if (this.outcome !== undefined) return;
    this.#end('left');
    this.#context.world.exercised.fault('client: leaves before the end');
    handle.leave();
  }

  #fail(error: unknown): void {
    const code = error instanceof DfpeerError ? error.code : 'no code';
    this.#end(code, String(error));
    if (code === 'DFP_INTERNAL' || code === 'no code')
      this.#context.world.failures.push(
        `${this.name} failed without a reason: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
      );
  }

  #end(outcome: string, detail = ''): void {
    this.outcome = outcome;
    this.#context.world.log.add(`${this.name} ends: ${outcome} ${detail}`);
  }

  #checkResult(task: StoredTask): void {
    const { failures, disk, versions, plan } = this.#context.world;
    const { layout } = task;
    if (layout === undefined) return void failures.push(`${this.name} was told of success without a length`);
    const wanted = this.#range?.(layout.contentLength) ?? { offset: 0, length: layout.contentLength };
    if (!task.has(wanted)) failures.push(`${this.name} was told of success, but pieces are missing`);
    failures.push(...checkPieces(task, disk, versions));
    if (tellsChanges(plan.origin)) failures.push(...checkOneVersion(task, disk, versions));
  }

  #request(): DownloadRequest {
    const { pieceLength } = this.#context.world.plan;
    const { disableBackToSource } = this.plan;
    return {
      taskId: TASK_ID,
      url: TASK_URL,
      requestHeader: {},
      tag: '',
      application: '',
      priority: 0,
      filteredQueryParams: [],
      pieceLength,
      digest: undefined,
      range: this.#range,
      disableBackToSource,
      needBackToSource: false,
      trust: 'local-user',
      rateLimitBytesPerSecond: undefined,
    };
  }
}

/** As the gRPC service resolves a client's range. */
function resolveRange({ from, to }: { from: number; to: number }): (contentLength: number) => ByteRange {
  return (contentLength) => {
    const offset = Math.floor(from * contentLength);
    if (offset >= contentLength)
      throw new UsageError('the range starts beyond the content', undefined, 'DFP_INVALID_ARGUMENT');
    const length = Math.max(1, Math.ceil((to - from) * contentLength));
    return { offset, length: Math.min(length, contentLength - offset) };
  };
}
