import { credentials, type ClientDuplexStream, Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { silentLogger } from '../../src/core/logger.js';
import type { Download } from '../../src/generated/common/v2/Download.js';
import type { Host } from '../../src/generated/common/v2/Host.js';
import type { Peer__Output } from '../../src/generated/common/v2/Peer.js';
import type { AnnouncePeerRequest } from '../../src/generated/scheduler/v2/AnnouncePeerRequest.js';
import type { AnnouncePeerResponse__Output } from '../../src/generated/scheduler/v2/AnnouncePeerResponse.js';
import { Scheduler } from '../../src/grpc/protos.js';
import {
  startEmbeddedScheduler,
  type EmbeddedScheduler,
  type EmbeddedSchedulerOptions,
} from '../../src/scheduler/embedded-scheduler.js';
import { PIECE_LENGTH, taskId } from './cluster-fixture.js';

export const DOWNLOAD: Download = {
  url: 'http://127.0.0.1/file',
  actualContentLength: 10 * PIECE_LENGTH,
  actualPieceLength: PIECE_LENGTH,
  actualPieceCount: 10,
};

export type Client = InstanceType<typeof Scheduler>;

/** A running scheduler, and what to close after the test. */
export class TestScheduler implements AsyncDisposable {
  readonly #clients: Client[] = [];

  private constructor(readonly server: EmbeddedScheduler) {}

  static async start(options: Partial<EmbeddedSchedulerOptions> = {}): Promise<TestScheduler> {
    return new TestScheduler(
      await startEmbeddedScheduler({ ip: '127.0.0.1', port: 0, logger: silentLogger, ...options }),
    );
  }

  client(): Client {
    const client = new Scheduler(this.server.address, credentials.createInsecure());
    this.#clients.push(client);
    return client;
  }

  /** A host with a connection of its own. */
  async host(id: string, changes: Host = {}): Promise<TestHost> {
    const host = new TestHost(id, this.client());
    await host.announce(changes);
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.server.stop();
  }
}

export class TestHost {
  constructor(
    readonly id: string,
    readonly client: Client,
  ) {}

  announce(changes: Host = {}, intervalMs = 300_000): Promise<unknown> {
    const host = { id: this.id, hostname: this.id, ip: '127.0.0.1', port: 4000, downloadPort: 4000, ...changes };
    return call((done) => this.client.announceHost({ host, interval: { seconds: intervalMs / 1000 } }, done));
  }

  /** Opens a stream; nothing is said yet. */
  peer(id = `${this.id}-peer`, task = taskId(), metadata = new Metadata()): TestPeer {
    return new TestPeer(this.client.announcePeer(metadata), { hostId: this.id, taskId: task, peerId: id });
  }

  /** Opens a stream and registers. */
  async register(download: Download = {}): Promise<{ peer: TestPeer; answer: AnnouncePeerResponse__Output }> {
    const peer = this.peer();
    const answer = await peer.ask({ registerPeerRequest: { download: { ...DOWNLOAD, ...download } } });
    return { peer, answer };
  }

  /** A peer that downloads from the origin. */
  async source(): Promise<TestPeer> {
    const { peer } = await this.register({ needBackToSource: true });
    peer.say({ downloadPeerBackToSourceStartedRequest: {} });
    return peer;
  }

  /** A peer that has everything. */
  async complete(): Promise<void> {
    const { peer } = await this.register({ metadataOnly: true });
    peer.say({ downloadPeerStartedRequest: {} });
    peer.say({ downloadPeerFinishedRequest: {} });
    await peer.status;
  }
}

type Stream = ClientDuplexStream<AnnouncePeerRequest, AnnouncePeerResponse__Output>;

/** The client's end of an AnnouncePeer stream; it never closes its half by itself. */
export class TestPeer {
  /** How the call ended. */
  readonly status: Promise<StatusObject>;
  readonly metadata: Promise<Metadata>;

  constructor(
    readonly stream: Stream,
    readonly ids: { hostId: string; taskId: string; peerId: string },
  ) {
    this.status = new Promise((resolve) => stream.once('status', resolve));
    this.metadata = new Promise((resolve) => stream.once('metadata', resolve));
    // It comes before the status, and says the same.
    stream.on('error', () => undefined);
  }

  say(request: AnnouncePeerRequest): void {
    this.stream.write({ ...this.ids, ...request });
  }

  /** Says something and resolves with the answer. Rejects with the call's status instead. */
  async ask(request: AnnouncePeerRequest): Promise<AnnouncePeerResponse__Output> {
    this.say(request);
    return this.answer();
  }

  async answer(): Promise<AnnouncePeerResponse__Output> {
    const answered = new Promise<AnnouncePeerResponse__Output>((resolve) => this.stream.once('data', resolve));
    const ended = this.status.then((status) => Promise.reject(Object.assign(new Error(status.details), status)));
    return Promise.race([answered, ended]);
  }

  reschedule(candidateParents: Peer__Output[] = []): Promise<AnnouncePeerResponse__Output> {
    return this.ask({ reschedulePeerRequest: { candidateParents } });
  }
}

/** The ids of the parents in an answer, or its kind. */
export function answerOf(response: AnnouncePeerResponse__Output): string | string[] {
  const parents = response.normalTaskResponse?.candidateParents;
  return parents === undefined ? (response.response ?? 'nothing') : parents.map(({ id }) => id).sort();
}

/** A unary call as a promise. */
export function call<Response>(
  start: (done: (error: ServiceError | null, response?: Response) => void) => unknown,
): Promise<Response | undefined> {
  return new Promise((resolve, reject) => {
    start((error, response) => (error === null ? resolve(response) : reject(error)));
  });
}
