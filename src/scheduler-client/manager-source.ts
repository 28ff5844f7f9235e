import { isIP } from 'node:net';
import { Client } from '@grpc/grpc-js';
import { formatHostPort, parseHostPort } from '../core/host-port.js';
import type { ListSchedulersRequest } from '../generated/manager/v2/ListSchedulersRequest.js';
import type { ListSchedulersResponse__Output } from '../generated/manager/v2/ListSchedulersResponse.js';
import { SourceType } from '../generated/manager/v2/SourceType.js';
import type { Scheduler__Output } from '../generated/manager/v2/Scheduler.js';
import { loadChannelCredentials, type TlsFiles } from '../grpc/credentials.js';
import { Manager } from '../grpc/protos.js';
import { parseBlockList, readBlockList, type BlockList } from './block-list.js';
import { checkHealth } from './health.js';
import type { SchedulerAddress } from './scheduler-address.js';
import { channelOptions } from './scheduler-connection.js';
import type { SchedulerList, SchedulerSource, SourceOptions } from './scheduler-source.js';
import { callUnary, type Callee } from '../grpc/unary-call.js';

export const LIST_TIMEOUT_MS = 10_000;

/** Asks a manager which schedulers there are, and what the cluster's administrator blocks (docs/WIRE.md 6.3). */
export class ManagerSource implements SchedulerSource {
  readonly #target: string;
  readonly #tls: TlsFiles | undefined;
  readonly #options: SourceOptions;
  #callee: Callee | undefined;
  #isHealthy = false;

  constructor(config: { addr: string; tls?: TlsFiles | undefined }, options: SourceOptions) {
    const { host, port } = parseHostPort(config.addr, 'manager.addr');
    this.#target = formatHostPort(host, port);
    this.#tls = config.tls;
    this.#options = options;
  }

  async list(signal: AbortSignal): Promise<SchedulerList> {
    const callee = (this.#callee ??= await this.#connect());
    if (!this.#isHealthy) await checkHealth(callee, signal);
    this.#isHealthy = true;
    const { host, build } = this.#options;
    const request = toListSchedulersRequest(host, build);
    const answer = await callUnary(callee, Manager.service.ListSchedulers, request, {
      timeoutMs: LIST_TIMEOUT_MS,
      signal,
    });
    return {
      schedulers: answer.schedulers.flatMap((each) => this.#toAddress(each)),
      blockList: this.#blockList(answer),
    };
  }

  close(): void {
    this.#callee?.client.close();
    this.#callee = undefined;
  }

  async #connect(): Promise<Callee> {
    const credentials = await loadChannelCredentials(this.#tls);
    return {
      client: new Client(this.#target, credentials, channelOptions(undefined)),
      name: `manager ${this.#target}`,
      unreachable: 'DFP_MANAGER_UNREACHABLE',
      refused: 'DFP_MANAGER_UNREACHABLE',
    };
  }

  #toAddress(scheduler: Scheduler__Output): SchedulerAddress[] {
    const { ip, port, schedulerClusterId } = scheduler;
    if (isIP(ip) !== 0 && port >= 1 && port <= 65535) return [{ ip, port, clusterId: schedulerClusterId }];
    this.#options.logger.debug({ ip, port, id: scheduler.id }, 'skipped a scheduler without a usable address');
    return [];
  }

  /** All schedulers of a list belong to the clusters that match this host; the first one's rules are in force. */
  #blockList(answer: ListSchedulersResponse__Output): BlockList | undefined {
    const cluster = answer.schedulers[0]?.schedulerCluster;
    const { host, logger } = this.#options;
    const config = host.type === 'seed' ? cluster?.seedClientConfig : cluster?.clientConfig;
    return readBlockList("the manager's client_config", logger, () =>
      parseBlockList(config?.toString('utf8') ?? '', logger),
    );
  }
}

function toListSchedulersRequest(host: SourceOptions['host'], build: SourceOptions['build']): ListSchedulersRequest {
  return {
    sourceType: host.type === 'seed' ? SourceType.SEED_PEER_SOURCE : SourceType.PEER_SOURCE,
    // The manager refuses what is not a host name of RFC 1123.
    hostname: host.hostname.replaceAll(/[^a-zA-Z0-9.-]/g, '-'),
    ip: host.ip,
    version: build.version,
    commit: build.commit ?? '',
    schedulerClusterId: host.schedulerClusterId,
    ...(host.idc === undefined || host.idc === '' ? {} : { idc: host.idc }),
    ...(host.location === undefined || host.location === '' ? {} : { location: host.location }),
  };
}
