import { EventEmitter, once } from 'node:events';
import { Server, ServerCredentials, status, type sendUnaryData, type ServerDuplexStream } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { AnnounceHostRequest__Output } from '../../../src/generated/scheduler/v2/AnnounceHostRequest.js';
import type { AnnouncePeerRequest__Output } from '../../../src/generated/scheduler/v2/AnnouncePeerRequest.js';
import type { AnnouncePeerResponse } from '../../../src/generated/scheduler/v2/AnnouncePeerResponse.js';
import type { SchedulerHandlers } from '../../../src/generated/scheduler/v2/Scheduler.js';
import { Scheduler } from '../../../src/grpc/protos.js';

type Stream = ServerDuplexStream<AnnouncePeerRequest__Output, AnnouncePeerResponse>;

/** One AnnouncePeer stream as the scheduler's side sees it. */
export class Conversation {
  readonly stream: Stream;
  /** True once the client has half-closed. */
  halfClosed = false;
  readonly #inbox: AnnouncePeerRequest__Output[] = [];
  readonly #events = new EventEmitter();

  constructor(stream: Stream, record: (message: AnnouncePeerRequest__Output) => void) {
    this.stream = stream;
    stream.on('data', (message: AnnouncePeerRequest__Output) => {
      record(message);
      this.#inbox.push(message);
      this.#events.emit('change');
    });
    stream.on('end', () => {
      this.halfClosed = true;
      this.#events.emit('change');
    });
    stream.on('error', () => undefined);
  }

  async next(): Promise<AnnouncePeerRequest__Output> {
    for (;;) {
      const message = this.#inbox.shift();
      if (message !== undefined) return message;
      await once(this.#events, 'change');
    }
  }

  async clientEnd(): Promise<void> {
    while (!this.halfClosed) await once(this.#events, 'change');
  }

  answer(response: AnnouncePeerResponse): void {
    this.stream.write(response);
  }

  end(): void {
    this.stream.end();
  }

  fail(code: status, details: string): void {
    this.stream.emit('error', Object.assign(new Error(details), { code, details }));
  }
}

export type Script = (conversation: Conversation, index: number) => Promise<void>;

/** A real gRPC server on loopback that plays a scheduler's part by a script. It can be stopped and started again on its port. */
export class ScriptedScheduler {
  readonly events = new EventEmitter();
  readonly hosts: AnnounceHostRequest__Output[] = [];
  readonly deletedHosts: string[] = [];
  readonly deletedPeers: string[] = [];
  readonly deletedTasks: string[] = [];
  readonly messages: AnnouncePeerRequest__Output[] = [];
  readonly peers = new Set<string>();
  health = new HealthImplementation({ '': 'SERVING' });
  knowsHosts = true;
  /** It takes announcements of hosts, and answers none. */
  isMute = false;
  script: Script;
  port = 0;
  #server: Server | undefined;
  #streams = 0;

  constructor(script: Script = playStoredTasks) {
    this.script = script;
  }

  static async start(script?: Script): Promise<ScriptedScheduler> {
    const scheduler = new ScriptedScheduler(script);
    await scheduler.listen();
    return scheduler;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** On the same port as before, if it ever listened. */
  async listen(credentials: ServerCredentials = ServerCredentials.createInsecure()): Promise<void> {
    const server = new Server();
    server.addService(Scheduler.service, this.#handlers());
    this.health.addToServer(server);
    this.port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${this.port}`, credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    );
    this.#server = server;
  }

  /** As a crash: connections are cut, and everything known is forgotten. */
  kill(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.hosts.length = 0;
    this.peers.clear();
  }

  /** Resolves when the condition holds; it is checked now and after each call that arrives. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.events, 'call');
  }

  #called(): void {
    this.events.emit('call');
  }

  #handlers(): SchedulerHandlers {
    const unsupported = (_: unknown, callback: sendUnaryData<never>): void =>
      callback({ code: status.UNIMPLEMENTED, details: 'not part of the script' });
    return {
      AnnounceHost: (call, callback) => {
        this.hosts.push(call.request);
        this.knowsHosts = true;
        if (!this.isMute) callback(null, {});
        this.#called();
      },
      DeleteHost: (call, callback) => {
        this.deletedHosts.push(call.request.hostId);
        callback(null, {});
        this.#called();
      },
      DeletePeer: (call, callback) => {
        this.deletedPeers.push(call.request.peerId);
        callback(null, {});
        this.#called();
      },
      DeleteTask: (call, callback) => {
        this.deletedTasks.push(call.request.taskId);
        callback(null, {});
        this.#called();
      },
      StatPeer: (call, callback) => {
        const { peerId } = call.request;
        if (this.peers.has(peerId)) callback(null, { id: peerId, state: 'Succeeded' });
        else callback({ code: status.NOT_FOUND, details: `peer ${peerId} not found` });
      },
      StatTask: (call, callback) => {
        const { taskId } = call.request;
        const known = this.messages.some((message) => message.taskId === taskId);
        // An unknown length travels as 2^64-1.
        if (known) callback(null, { id: taskId, state: 'Running', contentLength: '18446744073709551615' });
        else callback({ code: status.NOT_FOUND, details: `task ${taskId} not found` });
      },
      ListHosts: unsupported,
      AnnouncePeer: (stream) => {
        const conversation = new Conversation(stream, (message) => {
          this.messages.push(message);
          this.peers.add(message.peerId);
          this.#called();
        });
        if (!this.knowsHosts) conversation.fail(status.NOT_FOUND, 'peer not found');
        else
          void this.script(conversation, this.#streams++).catch((error: unknown) =>
            conversation.fail(status.INTERNAL, String(error)),
          );
      },
    };
  }
}

/** Takes complete copies, sends everybody else to the origin, ends when the peer does. */
export async function playStoredTasks(conversation: Conversation): Promise<void> {
  const first = await conversation.next();
  const isStored = first.registerPeerRequest?.download?.metadataOnly === true;
  conversation.answer(
    isStored ? { metadataOnlyResponse: {} } : { needBackToSourceResponse: { description: 'first peer' } },
  );
  for (;;) {
    const { request } = await conversation.next();
    if (request?.startsWith('downloadPeer') === true && /(Finished|Failed)Request$/.test(request)) break;
  }
  conversation.end();
}
