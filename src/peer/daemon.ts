import { collectDefaultMetrics, Registry } from 'prom-client';
import { limitMallocArenas } from '../../native/index.js';
import { type Clock, systemClock } from '../core/clock.js';
import { DfpeerError, hasCode } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Tracer } from '../core/tracing.js';
import { startEmbeddedScheduler } from '../scheduler/embedded-scheduler.js';
import type { DaemonSchedulerClient } from '../scheduler-client/index.js';
import { createClusterSide, joinCluster, type ClusterSide } from './cluster-side.js';
import type { BandwidthLimits, DaemonSettings, ListenAddress } from './daemon-settings.js';
import { createDownloadSide, type DownloadSide } from './download-side.js';
import { Collector, type GcSettings } from './gc/collector.js';
import { OfferPacing } from './swarm/offer-pacing.js';
import { startDownloadServer, startUploadServer, type ServerDependencies } from './grpc-servers.js';
import { LineShare } from './swarm/line-share.js';
import { LimitsInForce, type LimitName } from './limits-in-force.js';
import { MemoryKeeper } from './memory-keeper.js';
import { startOperationsServer } from './operations-server.js';
import { Shutdown } from './shutdown.js';
import { DaemonWatch } from './status/daemon-watch.js';
import type { WatchedFetcher } from './status/watched-fetcher.js';
import { createView, startStatusPage } from './operator-side.js';
import { registerStoreMetrics } from './store-metrics.js';
import { freeBytesOf } from './store/free-bytes.js';
import { removeSocketNote } from './socket-note.js';
import { Quarantine } from './store/quarantine.js';
import { TaskStore } from './store/task-store.js';
import { openTracing } from './tracing/open-tracing.js';
import { traceUploads } from './tracing/trace-uploads.js';
import { allOf, countUploads, useDuringUploads } from './upload-listeners.js';
import { createUploadSide, type UploadSide } from './upload-side.js';
import { UseWatch } from './use-watch.js';

/** Ports in use, after 0 and fallbacks were resolved. */
export interface DaemonPorts {
  grpc: number;
  http: number;
  vortex: number;
  metrics: number;
  health: number;
  /** The embedded scheduler's; undefined without one. */
  scheduler: number | undefined;
  /** Undefined without one. */
  statusPage: number | undefined;
}

/** As few as threads can share without waiting for each other much: each keeps some megabytes. */
const MALLOC_ARENAS = 2;

/** Each sample wakes an idle daemon; the lag that the metrics tell includes this interval. */
const EVENT_LOOP_SAMPLE_MS = 50;

/** The composition root: everything a peer consists of, started in order and stopped in the reverse one. */
export class Daemon {
  readonly #settings: DaemonSettings;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #shutdown: Shutdown;
  readonly #registry = new Registry();
  readonly #watch: DaemonWatch;
  readonly #uses: UseWatch;
  readonly #limits: LimitsInForce;
  #limitedRoute: DaemonSettings['upload']['limitedRoute'];
  #uploads: UploadSide | undefined;
  #downloads: DownloadSide | undefined;
  #collector: Collector | undefined;
  #ports: DaemonPorts | undefined;
  #onIdle: () => void = () => undefined;
  /** Resolves when nobody has needed this daemon for its alive time. */
  readonly idle = new Promise<void>((resolve) => (this.#onIdle = resolve));

  private constructor(settings: DaemonSettings, logger: Logger, clock: Clock) {
    this.#settings = settings;
    this.#limits = new LimitsInForce(settings.limits, (limits) => this.#applyLimits(limits));
    this.#limitedRoute = settings.upload.limitedRoute;
    this.#clock = clock;
    this.#watch = new DaemonWatch(clock);
    this.#uses = new UseWatch(clock);
    this.#logger = this.#watch.tail.wrap(logger);
    this.#shutdown = new Shutdown(this.#logger);
  }

  /** @throws DfpeerError DFP_LISTEN, DFP_STORE_*, DFP_CONFIG; then nothing of it runs. */
  static async start(settings: DaemonSettings, logger: Logger, clock: Clock = systemClock): Promise<Daemon> {
    const daemon = new Daemon(settings, logger, clock);
    try {
      await daemon.#start();
      return daemon;
    } catch (error) {
      await daemon.stop();
      throw error;
    }
  }

  get ports(): DaemonPorts {
    if (this.#ports === undefined) throw new DfpeerError('DFP_INTERNAL', 'the daemon has not started');
    return this.#ports;
  }

  get limits(): BandwidthLimits {
    return this.#limits.current;
  }

  /**
   * The configuration's limits take effect at once: running uploads change their route at the next quantum. Returns which limits an
   * operator had set at run time; they are no longer in force. @throws UsageError for a limit of 0 or less
   */
  setLimits(limits: BandwidthLimits): LimitName[] {
    return this.#limits.configure(limits);
  }

  setLimitedRoute(route: DaemonSettings['upload']['limitedRoute']): void {
    this.#limitedRoute = route;
    this.#uploads?.service.setLimitedRoute(route);
  }

  setGc(gc: GcSettings): void {
    this.#collector?.configure(gc);
  }

  /** No new work; running uploads and downloads finish within the drain timeout; the schedulers are told. Idempotent, never rejects. */
  async stop(): Promise<void> {
    await this.#shutdown.run();
  }

  async #start(): Promise<void> {
    limitMallocArenas(MALLOC_ARENAS);
    const settings = this.#settings;
    const shutdown = this.#shutdown;
    const shared = { logger: this.#logger, clock: this.#clock };
    for (const warning of settings.warnings) this.#logger.warn({}, warning);
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
    const store = await TaskStore.openDirectory(settings.storeDirectory, shared);
    shutdown.add('the store', () => store.close());
    // Of a process that was killed.
    await removeSocketNote(settings.storeDirectory);
    const tracer = await this.#openTracing();
    const pacing = new OfferPacing(this.#clock);
    const { uploads, http, vortex } = await this.#startUploads(store, pacing, tracer);
    const embeddedSchedulerPort = await this.#startEmbeddedScheduler();
    const cluster = createClusterSide(settings, {
      ...shared,
      store,
      uploads: uploads.service,
      limits: () => this.#limits.current,
      embeddedSchedulerPort,
      registry: this.#registry,
    });
    const downloads = await this.#createDownloads({ store, cluster, pacing, uploads, tracer });
    const servers: ServerDependencies = {
      ...shared,
      ...cluster,
      settings,
      store,
      manager: downloads.manager,
      metrics: downloads.metrics,
      uploads: uploads.service,
      pacing,
      tracer,
      beginUse: this.#uses.begin,
      pieceAddress: { ip: settings.host.ip, httpPort: http, tcpPort: vortex },
    };
    const grpc = await this.#bind(settings.grpc, (listen) => startUploadServer(servers, listen, shutdown));
    cluster.identity.description.port = grpc;
    const statusPage = await this.#startOperatorSide(servers, uploads, downloads.fetcher);
    const operations = await this.#startOperations();
    // Operators ask for them also while schedulers are waited for.
    this.#ports = { grpc, http, vortex, ...operations, scheduler: embeddedSchedulerPort, statusPage };
    shutdown.add('running uploads', async () => {
      await uploads.service.drain(settings.drainTimeoutMs);
    });
    shutdown.add('running downloads', () => downloads.manager.drain(settings.drainTimeoutMs));
    this.#startCollector(store, cluster.scheduler);
    await joinCluster(cluster, { ...shared, shutdown });
    this.#keepMemory();
    this.#watchIdle();
  }

  /** Both piece servers, listening. */
  async #startUploads(
    store: TaskStore,
    pacing: OfferPacing,
    tracer: Tracer,
  ): Promise<{ uploads: UploadSide; http: number; vortex: number }> {
    const settings = this.#settings;
    const share = new LineShare({ clock: this.#clock, isPeer: (taskId, ip) => pacing.hasChild(taskId, ip) });
    const onUpload = allOf(
      this.#watch.onUpload,
      pacing.onUpload,
      share.onUpload,
      countUploads(store),
      useDuringUploads(this.#uses.begin),
    );
    const uploads = await createUploadSide(settings, {
      store,
      onUpload: traceUploads(tracer, onUpload),
      registry: this.#registry,
      shutdown: this.#shutdown,
      logger: this.#logger,
      clock: this.#clock,
    });
    this.#uploads = uploads;
    const { service } = uploads;
    const http = await this.#bind(settings.http, async (listen) => (await service.start({ http: listen })).httpPort);
    const vortex = await this.#bind(
      settings.vortex,
      async (listen) => (await service.start({ vortex: listen })).vortexPort,
    );
    return { uploads, http: http ?? 0, vortex: vortex ?? 0 };
  }

  async #createDownloads(parts: {
    store: TaskStore;
    cluster: ClusterSide;
    pacing: OfferPacing;
    uploads: UploadSide;
    tracer: Tracer;
  }): Promise<DownloadSide> {
    const { store, cluster, pacing, uploads, tracer } = parts;
    const downloads = await createDownloadSide(this.#settings, {
      store,
      cluster,
      copies: (taskId, number) => pacing.copies(taskId, number),
      hasChildren: (taskId) => pacing.hasChildren(taskId),
      makeRoom: async (bytes) => this.#collector?.makeRoom(bytes) ?? false,
      limits: this.#limits.current,
      interfaceBytesPerSecond: uploads.interfaceBytesPerSecond,
      watch: this.#watch,
      beginUse: this.#uses.begin,
      tracer,
      registry: this.#registry,
      shutdown: this.#shutdown,
      logger: this.#logger,
      clock: this.#clock,
    });
    this.#downloads = downloads;
    return downloads;
  }

  /** The unix socket and the status page. Resolves with the port of the latter. */
  async #startOperatorSide(
    servers: ServerDependencies,
    uploads: UploadSide,
    fetcher: WatchedFetcher,
  ): Promise<number | undefined> {
    const operators = {
      settings: this.#settings,
      store: servers.store,
      scheduler: servers.scheduler,
      hostId: servers.identity.description.id,
      uploads,
      fetcher,
      watch: this.#watch,
      limits: this.#limits,
      limitedRoute: () => this.#limitedRoute,
      ports: () => this.#ports ?? {},
      registry: this.#registry,
      shutdown: this.#shutdown,
      logger: this.#logger,
      clock: this.#clock,
    };
    const view = createView(operators);
    const changeLimits = (changes: Partial<BandwidthLimits>): void => this.#limits.change(changes);
    await startDownloadServer(servers, { view, changeLimits }, this.#shutdown);
    return startStatusPage(view, { ...operators, bind: (address, start) => this.#bind(address, start) });
  }

  async #openTracing(): Promise<Tracer> {
    const { tracing: settings, version, host } = this.#settings;
    const described = { version, hostname: host.hostname, ip: host.ip };
    const tracing = await openTracing(settings, described, this.#logger.child({ module: 'tracing' }));
    this.#shutdown.add('traces', () => tracing.close());
    return tracing.tracer;
  }

  #applyLimits(limits: BandwidthLimits): void {
    this.#uploads?.setLimits(limits);
    this.#downloads?.setLimits(limits);
  }

  async #startEmbeddedScheduler(): Promise<number | undefined> {
    const { embeddedScheduler } = this.#settings;
    if (embeddedScheduler === undefined) return undefined;
    const logger = this.#logger.child({ module: 'scheduler' });
    const scheduler = await this.#bind(embeddedScheduler, (listen) =>
      startEmbeddedScheduler({ ...listen, logger, clock: this.#clock, registry: this.#registry }),
    );
    this.#shutdown.add('the embedded scheduler', () => scheduler.stop());
    return scheduler.port;
  }

  async #startOperations(): Promise<{ metrics: number; health: number }> {
    const registry = this.#registry;
    const options = { logger: this.#logger, clock: this.#clock };
    const scrape = async (): Promise<{ contentType: string; body: string }> => ({
      contentType: registry.contentType,
      body: await registry.metrics(),
    });
    const metrics = await this.#bind(this.#settings.metrics, (listen) =>
      startOperationsServer(listen, { '/metrics': scrape }, options),
    );
    this.#shutdown.add('the metrics server', () => metrics.close());
    const healthy = async (): Promise<{ contentType: string; body: string }> => ({
      contentType: 'text/plain',
      body: 'ok\n',
    });
    const health = await this.#bind(this.#settings.health, (listen) =>
      startOperationsServer(listen, { '/healthy': healthy }, options),
    );
    this.#shutdown.add('the health server', () => health.close());
    return { metrics: metrics.port, health: health.port };
  }

  #startCollector(store: TaskStore, scheduler: DaemonSchedulerClient | undefined): void {
    const { storeDirectory } = this.#settings;
    const onCollected = registerStoreMetrics(this.#registry, {
      tasks: () => store.tasks().length,
      bytes: () => store.storedBytes,
    });
    const collector = new Collector(
      {
        store,
        quarantine: new Quarantine(storeDirectory),
        onRemoved: async (taskId) => scheduler?.deleteTask(taskId),
        onCollected,
        freeBytes: () => freeBytesOf(storeDirectory),
        clock: this.#clock,
        logger: this.#logger.child({ module: 'gc' }),
      },
      this.#settings.gc,
    );
    this.#collector = collector;
    collector.start();
    this.#shutdown.add('the collector', () => collector.stop());
  }

  #keepMemory(): void {
    const isBusy = (): boolean => this.#uses.isInUse;
    const keeper = new MemoryKeeper({ isBusy, clock: this.#clock, logger: this.#logger.child({ module: 'memory' }) });
    keeper.start();
    this.#shutdown.add('the memory keeper', async () => keeper.stop());
  }

  #watchIdle(): void {
    const { aliveTimeMs } = this.#settings;
    if (aliveTimeMs === undefined) return;
    this.#uses.whenIdle(aliveTimeMs, this.#onIdle);
    this.#shutdown.add('the idle watch', async () => this.#uses.stop());
  }

  /** Starts a listener; where that is allowed, on a free port when its own is taken. */
  async #bind<T>(address: ListenAddress, start: (address: ListenAddress) => Promise<T>): Promise<T> {
    try {
      return await start(address);
    } catch (error) {
      if (!hasCode(error, 'DFP_LISTEN') || !this.#settings.fallBackToFreePorts || address.port === 0) throw error;
      this.#logger.info({ port: address.port }, 'the port is taken, a free one is used instead');
      return start({ ...address, port: 0 });
    }
  }
}
