import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import { Metadata } from '@grpc/grpc-js';
import { z } from 'zod';
import { parseRangeHeader } from '../../src/core/byte-range.js';
import { BLOCKS_HEADER, blockLengthOf, NO_BLOCKS } from '../../src/core/piece-blocks.js';
import { makeHostId, makePeerId } from '../../src/core/ids.js';
import { silentLogger } from '../../src/core/logger.js';
import { derivePieceLength, formatPieceDigest, PieceLayout } from '../../src/core/piece.js';
import { DEFAULT_FILTERED_QUERY_PARAMS } from '../../src/core/signing-query-params.js';
import { computeTaskId } from '../../src/core/task-id.js';
import type { DfdaemonUploadHandlers } from '../../src/generated/dfdaemon/v2/DfdaemonUpload.js';
import { DfdaemonUpload } from '../../src/grpc/protos.js';
import { startGrpcServer } from '../../src/grpc/server.js';
import { HostLoadSampler } from '../../src/peer/host-load/host-load.js';
import { createSchedulerClient, reannounceStoredTasks } from '../../src/scheduler-client/index.js';
import { HTTP_PORT_HEADER } from '../../src/peer/parents/grpc-parent-dialer.js';
import { frame } from '../upload/support/blocks-child.js';
import { SoakFile } from './soak-file.js';

const IP = '127.0.0.1';
const LIES = ['bytes', 'digest', 'both', 'cut', 'silence', 'encoding', 'blocks', 'cut-blocks', 'nothing'] as const;

const ordersSchema = z.object({
  hostname: z.string(),
  scheduler: z.string(),
  seed: z.number(),
  files: z.array(z.object({ name: z.string(), size: z.number(), url: z.string() })),
  /** Where it says that its pieces are, instead of its own port. */
  piecePort: z.number().optional(),
});
export type LiarOrders = z.infer<typeof ordersSchema>;

interface Task {
  file: SoakFile;
  url: string;
  layout: PieceLayout;
}

/**
 * A peer that announces a complete copy of everything and gives none of it right: wrong bytes, wrong digests, half answers, silence. A
 * program of its own that speaks the wire as dfpeer does.
 */
class LyingPeer {
  readonly #hostname: string;
  readonly #tasks: ReadonlyMap<string, Task>;
  readonly #piecePort: number | undefined;
  #httpPort = 0;
  #told = 0;

  constructor({ hostname, files, seed, piecePort }: LiarOrders) {
    this.#hostname = hostname;
    this.#piecePort = piecePort;
    this.#tasks = new Map(
      files.map(({ name, size, url }) => [
        computeTaskId({ url, filteredQueryParams: DEFAULT_FILTERED_QUERY_PARAMS }),
        { file: new SoakFile(name, size, seed), url, layout: new PieceLayout(size, derivePieceLength(size)) },
      ]),
    );
  }

  /** Runs until the process is ended. */
  async start(scheduler: string): Promise<void> {
    const server = createServer((request, response) => this.#lie(request, response));
    server.listen(0, IP);
    await once(server, 'listening');
    this.#httpPort = this.#piecePort ?? (server.address() as AddressInfo).port;
    const grpc = await startGrpcServer({
      listen: { ip: IP, port: 0 },
      services: [
        { name: 'dfdaemon.v2.DfdaemonUpload', definition: DfdaemonUpload.service, implementation: this.#handlers() },
      ],
      logger: silentLogger,
    });
    const load = new HostLoadSampler({ ip: IP, dataDirectory: '/' });
    const client = createSchedulerClient({
      host: {
        ...{ id: makeHostId(IP, this.#hostname, false), type: 'normal', hostname: this.#hostname, name: '' },
        ...{ ip: IP, port: grpc.port, proxyPort: 0, idc: undefined, location: undefined },
        ...{ schedulerClusterId: 1, disableShared: false },
      },
      load: () => load.sample(),
      source: { kind: 'static', addrs: [scheduler] },
      build: { version: 'lie' },
      refreshIntervalMs: 1000,
      rejoinSpreadMs: 1,
      onSchedulerJoined: () => void this.#announce(client),
    });
    await client.start();
    await this.#announce(client);
    process.stdout.write('ready\n');
  }

  async #announce(client: Parameters<typeof reannounceStoredTasks>[0]): Promise<void> {
    const registrations = [...this.#tasks.values()].map(({ url, layout }) => ({
      taskId: computeTaskId({ url, filteredQueryParams: DEFAULT_FILTERED_QUERY_PARAMS }),
      peerId: makePeerId(IP, this.#hostname, false),
      ...{ url, tag: '', application: '', priority: 6, filteredQueryParams: DEFAULT_FILTERED_QUERY_PARAMS },
      ...{ requestHeader: {}, concurrentPieceCount: 8, needBackToSource: false, disableBackToSource: false },
      actualContentLength: layout.contentLength,
      actualPieceLength: layout.pieceLength,
      actualPieceCount: layout.count,
      metadataOnly: true,
    }));
    const signal = new AbortController().signal;
    await reannounceStoredTasks(client, registrations, { signal, logger: silentLogger, spacingMs: 10 }).catch(
      () => undefined,
    );
  }

  #handlers(): Pick<DfdaemonUploadHandlers, 'SyncPieces'> {
    return {
      SyncPieces: (call) => {
        const { taskId, interestedPieceNumbers } = call.request;
        const metadata = new Metadata();
        metadata.set(HTTP_PORT_HEADER, String(this.#httpPort));
        call.sendMetadata(metadata);
        const layout = this.#tasks.get(taskId)?.layout;
        for (const number of interestedPieceNumbers)
          if (layout?.has(number) === true) call.write({ ...layout.slice(number), ip: IP, tcpPort: this.#httpPort });
        call.end();
      },
    };
  }

  #lie(request: IncomingMessage, response: ServerResponse): void {
    const taskId = /^\/download\/[0-9a-f]{3}\/([0-9a-f]{64})/.exec(request.url ?? '')?.[1] ?? '';
    const task = this.#tasks.get(taskId);
    const range = parseRangeHeader(request.headers.range, task?.file.size ?? 0);
    if (task === undefined || range.kind !== 'range') return void response.writeHead(404).end();
    const { offset, length } = range.range;
    const right = task.file.bytes(range.range);
    // One lie a request, in turn: which piece meets which follows from the race.
    const lie = LIES[this.#told++ % LIES.length];
    if (lie === 'silence') return;
    if (lie === 'nothing') return void response.writeHead(503, { [BLOCKS_HEADER]: NO_BLOCKS }).end();
    const blockLength = lie === 'blocks' || lie === 'cut-blocks' ? blockLengthOf(task.layout.pieceLength) : undefined;
    const whole = blockLength === undefined ? right : frame(right, blockLength);
    const body = lie === 'bytes' || lie === 'both' || lie === 'blocks' ? createForgery(whole) : whole;
    const digest = formatPieceDigest(lie === 'digest' || lie === 'both' ? crc32(right) ^ 1 : crc32(right));
    response.writeHead(206, {
      'content-length': body.length,
      'content-range': `bytes ${offset}-${offset + length - 1}/${task.file.size}`,
      ...(blockLength === undefined ? { 'dfpeer-piece-digest': digest } : { [BLOCKS_HEADER]: blockLength }),
      ...(lie === 'encoding' ? { 'content-encoding': 'gzip' } : {}),
    });
    if (lie !== 'cut' && lie !== 'cut-blocks') return void response.end(body);
    response.write(body.subarray(0, Math.floor(body.length / 2)));
    response.socket?.end();
  }
}

/** One bit is enough. */
function createForgery(bytes: Buffer): Buffer {
  const forged = Buffer.from(bytes);
  const place = createHash('sha1').update(bytes.subarray(0, 64)).digest().readUInt32BE() % forged.length;
  forged[place] = (forged[place] ?? 0) ^ 0x10;
  return forged;
}

const orders = ordersSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
await new LyingPeer(orders).start(orders.scheduler);
