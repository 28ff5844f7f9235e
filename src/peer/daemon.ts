import { collectDefaultMetrics, Registry } from 'prom-client';
import { limitMallocArenas } from '../../native/index.js';
import { type Clock, systemClock } from '../core/clock.js';
import { DfpeerError } from '../core/errors.js';
import { formatHostPort } from '../core/host-port.js';
import type { Logger } from '../core/logger.js';
import type { Tracer } from '../core/tracing.js';
import { loadChannelCredentials } from '../grpc/credentials.js';
import { startEmbeddedScheduler } from '../scheduler/embedded-scheduler.js';
import { createSchedulerClient, HostLoadSampler, type DaemonSchedulerClient } from '../scheduler-client/index.js';
import type { UploadService } from '../upload/index.js';
import { StoredTaskAnnouncer } from './announcer.js';
import type { BandwidthLimits, DaemonSettings, ListenAddress } from './daemon-settings.js';
import { DownloadLimits } from './download-limits.js';
import { createDownloadManager } from './download-side.js';
import { proxyVariables } from './fetch/origin/proxy-choice.js';
import { ThreadedPieceFetcher } from './fetch/threaded-piece-fetcher.js';
import { Collector, type GcSettings } from './gc/collector.js';
import { OfferPacing } from './swarm/offer-pacing.js';
import { startDownloadServer, startUploadServer, type ServerDependencies } from './grpc-servers.js';
import { describeHost, type HostIdentity } from './host-identity.js';
import { registerKnownSchedulers } from './known-schedulers-metrics.js';
import { LineShare } from './swarm/line-share.js';
import { LimitsInForce, type LimitName } from './limits-in-force.js';
import { MemoryKeeper } from './memory-keeper.js';
import { DownloadMetrics } from './metrics.js';
import { startOperationsServer } from './operations-server.js';
import { GrpcParentDialer } from './parents/grpc-parent-dialer.js';
import { Shutdown } from './shutdown.js';
import { startScheduling } from './start-scheduling.js';
import { DaemonWatch } from './status/daemon-watch.js';
import type { WatchedFetcher } from './status/watched-fetcher.js';
import { createView, startStatusPage } from './operator-side.js';
import { registerStoreMetrics } from './store-metrics.js';
import { freeBytesOf } from './store/free-bytes.js';
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
  #downloadLimits: DownloadLimits | undefined;
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
    const shared = { logger: this.#logger, clock: this.#clock };
    for (const warning of settings.warnings) this.#logger.warn({}, warning);
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
    const store = await TaskStore.openDirectory(settings.storeDirectory, shared);
    this.#shutdown.add('the store', () => store.close());
    const tracer = await this.#openTracing();
    const pacing = new OfferPacing(this.#clock);
    const share = new LineShare({ clock: this.#clock, isPeer: (taskId, ip) => pacing.hasChild(taskId, ip) });
    const onUpload = allOf(
      ...[this.#watch.onUpload, pacing.onUpload, share.onUpload, countUploads(store)],
      useDuringUploads(this.#uses.begin),
    );
    const uploads = await createUploadSide(settings, {
      ...shared,
      store,
      onUpload: traceUploads(tracer, onUpload),
      registry: this.#registry,
      shutdown: this.#shutdown,
    });
    this.#uploads = uploads;
    const http = await this.#bind(
      settings.http,
      async (listen) => (await uploads.service.start({ http: listen })).httpPort ?? 0,
    );
    const vortex = await this.#bind(
      settings.vortex,
      async (listen) => (await uploads.service.start({ vortex: listen })).vortexPort ?? 0,
    );
    const schedulerPort = await this.#startEmbeddedScheduler();

    const identity = describeHost(settings);
    const metrics = new DownloadMetrics(this.#registry, {
      dataDirectory: settings.storeDirectory,
      version: settings.version,
    });
    const load = this.#loadSampler(uploads.service);
    const announcer = new StoredTaskAnnouncer({
      store,
      newPeerId: identity.newPeerId,
      concurrentPieceCount: settings.download.concurrentPieceCount,
      logger: this.#logger,
    });
    const scheduler = this.#createSchedulerClient(identity, schedulerPort, load, announcer);
    registerKnownSchedulers(this.#registry, () => scheduler?.status() ?? []);
    const parents = new GrpcParentDialer({
      hostId: identity.description.id,
      credentials: await loadChannelCredentials(settings.parentTls),
      clock: this.#clock,
    });
    this.#shutdown.add('parents', async () => parents.close());
    const fetcher = this.#createFetcher();
    const { interfaceBytesPerSecond } = uploads;
    const budgets = new DownloadLimits(this.#limits.current, { interfaceBytesPerSecond, clock: this.#clock });
    this.#downloadLimits = budgets;
    this.#shutdown.add('download limits', async () => budgets.close());
    const ofDownloads = { store, identity, scheduler, announcer, metrics, parents, fetcher, tracer, budgets, pacing };
    const makeRoom = async (bytes: number): Promise<boolean> => this.#collector?.makeRoom(bytes) ?? false;
    const beginUse = this.#uses.begin;
    const manager = createDownloadManager(settings, { ...shared, ...ofDownloads, makeRoom, beginUse });

    const servers: ServerDependencies = {
      ...shared,
      settings,
      store,
      manager,
      metrics,
      scheduler,
      announcer,
      load,
      uploads: uploads.service,
      pacing,
      tracer,
      beginUse,
      identity,
      pieceAddress: { ip: settings.host.ip, httpPort: http, tcpPort: vortex },
    };
    const grpc = await this.#bind(settings.grpc, (listen) => startUploadServer(servers, listen, this.#shutdown));
    identity.description.port = grpc;
    const operators = {
      ...{ ...shared, settings, store, uploads, fetcher, scheduler, hostId: identity.description.id },
      ...{ watch: this.#watch, limits: this.#limits, registry: this.#registry, shutdown: this.#shutdown },
      limitedRoute: () => this.#limitedRoute,
      ports: () => this.ports,
    };
    const view = createView(operators);
    const changeLimits = (changes: Partial<BandwidthLimits>): void => this.#limits.change(changes);
    await startDownloadServer(servers, { view, changeLimits }, this.#shutdown);
    const operations = await this.#startOperations();
    const statusPage = await startStatusPage(view, {
      ...operators,
      bind: (address, start) => this.#bind(address, start),
    });
    this.#shutdown.add('running uploads', async () => {
      await uploads.service.drain(settings.drainTimeoutMs);
    });
    this.#shutdown.add('running downloads', () => manager.drain(settings.drainTimeoutMs));
    this.#startCollector(store, scheduler);
    if (scheduler !== undefined) {
      this.#shutdown.add('announcements', () => announcer.stop());
      this.#shutdown.add('the scheduler client', () => scheduler.stop());
      await startScheduling(scheduler, { ...shared, onJoined: () => announcer.announceAll(scheduler) });
    }
    this.#keepMemory();
    this.#watchIdle();
    this.#ports = { grpc, http, vortex, ...operations, scheduler: schedulerPort, statusPage };
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
    this.#downloadLimits?.set(limits);
  }

  #createFetcher(): WatchedFetcher {
    const fetcher = new ThreadedPieceFetcher({
      allowedNetworks: this.#settings.originAllowList,
      environment: proxyVariables(process.env),
    });
    fetcher.warmUp();
    this.#shutdown.add('the fetch workers', () => fetcher.close());
    return this.#watch.watchFetcher(fetcher);
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

  #loadSampler(uploads: UploadService): HostLoadSampler {
    return new HostLoadSampler({
      ip: this.#settings.host.ip,
      dataDirectory: this.#settings.storeDirectory,
      uploadLimit: () => this.#limits.current.upload,
      downloadLimit: () => this.#limits.current.download,
      uploadConnections: () => uploads.list().length,
      clock: this.#clock,
    });
  }

  #createSchedulerClient(
    identity: HostIdentity,
    embeddedPort: number | undefined,
    load: HostLoadSampler,
    announcer: StoredTaskAnnouncer,
  ): DaemonSchedulerClient | undefined {
    const { schedulers, schedulerClient, embeddedScheduler, version } = this.#settings;
    const own =
      embeddedScheduler === undefined || embeddedPort === undefined
        ? undefined
        : ({ kind: 'static', addrs: [formatHostPort(ownIp(embeddedScheduler.ip), embeddedPort)] } as const);
    // One that others use may run here beside the one that we are told to use.
    const source = schedulers ?? own;
    if (source === undefined) return undefined;
    const client = createSchedulerClient({
      host: identity.description,
      load: () => load.sample(),
      source,
      build: { version },
      announceIntervalMs: schedulerClient.announceIntervalMs,
      scheduleTimeoutMs: schedulerClient.scheduleTimeoutMs,
      refreshIntervalMs: schedulerClient.refreshIntervalMs,
      tls: schedulers === undefined ? undefined : schedulerClient.tls,
      logger: this.#logger.child({ module: 'scheduler-client' }),
      clock: this.#clock,
      onSchedulerJoined: () => announcer.announceAll(client),
    });
    return client;
  }

  async #startOperations(): Promise<{ metrics: number; health: number }> {
    const registry = this.#registry;
    const scrape = async (): Promise<{ contentType: string; body: string }> => ({
      contentType: registry.contentType,
      body: await registry.metrics(),
    });
    const metrics = await this.#bind(this.#settings.metrics, (listen) =>
      startOperationsServer(listen, { '/metrics': scrape }),
    );
    this.#shutdown.add('the metrics server', () => metrics.close());
    const healthy = async (): Promise<{ contentType: string; body: string }> => ({
      contentType: 'text/plain',
      body: 'ok\n',
    });
    const health = await this.#bind(this.#settings.health, (listen) =>
      startOperationsServer(listen, { '/healthy': healthy }),
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
      const taken = error instanceof DfpeerError && error.code === 'DFP_LISTEN';
      if (!taken || !this.#settings.fallBackToFreePorts || address.port === 0) throw error;
      this.#logger.info({ port: address.port }, 'the port is taken, a free one is used instead');
      return start({ ...address, port: 0 });
    }
  }
}

/** Where to find on this host what listens there on `listenIp`. */
function ownIp(listenIp: string): string {
  return { '0.0.0.0': '127.0.0.1', '::': '::1' }[listenIp] ?? listenIp;
}
