import { Client, credentials, status, type StatusObject } from '@grpc/grpc-js';
import fc from 'fast-check';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AttackedDaemon } from '../support/attacked-daemon.js';
import { methodsOf, type MethodDescriptor } from './descriptors.js';
import { requests, type Vocabulary } from './requests.js';

/** A call that only answers is answered by then. */
const UNARY_TIMEOUT_MS = 20_000;
/** A stream that says nothing for so long is alive all the same: it waits for something. */
const STREAM_PATIENCE_MS = 300;
const CALLS_AT_ONCE = 24;
/** What is left after them is no daemon to judge by the content it serves. */
const DISRUPTIVE: ReadonlySet<string> = new Set(['DeleteTask', 'DeleteLocalTask', 'DeleteHost', 'SetLimits']);

export interface FuzzReport {
  inputs: number;
  /** How often each method answered with each status; "open": a stream that went on. */
  answers: Map<string, Map<string, number>>;
  /** Inputs that found a bug, as method and hexadecimal request. */
  findings: string[];
  grownBytes: number;
}

interface Target {
  client: Client;
  method: MethodDescriptor;
}

/** Sends `inputs` generated requests to every method of every service of one daemon, in turn. */
export async function fuzzDaemon(
  directory: string,
  { inputs, seed }: { inputs: number; seed: number },
): Promise<FuzzReport> {
  const outputs = join(directory, 'outputs');
  await mkdir(outputs, { recursive: true });
  const attacked = await AttackedDaemon.start(directory, {
    ...{ backend: { maxRetries: 0 }, download: { server: { requestRateLimit: 1_000_000 } } },
    upload: { server: { ip: '127.0.0.1', port: 0, requestRateLimit: 1_000_000 } },
  });
  const report: FuzzReport = { inputs: 0, answers: new Map(), findings: [], grownBytes: 0 };
  const before = await attacked.residentBytes();
  const targets = connect(attacked);
  try {
    const vocabulary = vocabularyOf(attacked, outputs);
    const perMethod = Math.max(1, Math.ceil(inputs / targets.length));
    const fuzz = async (target: Target): Promise<void> => {
      const request = requests(target.method.requestName, vocabulary);
      const messages = fc.array(request, { minLength: 1, maxLength: target.method.requestStream ? 4 : 1 });
      await fuzzMethod(target, fc.sample(messages, { numRuns: perMethod, seed }), report);
    };
    for (const target of targets) if (!isDisruptive(target)) await fuzz(target);
    await attacked.assertUnharmed();
    for (const target of targets) if (isDisruptive(target)) await fuzz(target);
    await attacked.assertAlive();
    report.grownBytes = (await attacked.residentBytes()) - before;
  } finally {
    for (const client of new Set(targets.map((target) => target.client))) client.close();
    await attacked.end();
  }
  return report;
}

/** Every method of every service, by the port that serves it. */
function connect({ daemon }: AttackedDaemon): Target[] {
  const open = (address: string): Client => new Client(address, credentials.createInsecure());
  const upload = open(`127.0.0.1:${daemon.ports.grpc}`);
  const download = open(`unix:${daemon.socketPath}`);
  const scheduler = open(`127.0.0.1:${daemon.ports.scheduler ?? 0}`);
  const on = (client: Client, service: string): Target[] => methodsOf(service).map((method) => ({ client, method }));
  return [
    ...on(upload, 'dfdaemon.v2.DfdaemonUpload'),
    ...on(scheduler, 'scheduler.v2.Scheduler'),
    ...on(download, 'dfdaemon.v2.DfdaemonDownload'),
    ...on(download, 'dfpeer.v1.DfpeerAdmin'),
  ];
}

function isDisruptive({ method }: Target): boolean {
  return DISRUPTIVE.has(method.name) && method.service !== 'scheduler.v2.Scheduler';
}

function vocabularyOf({ taskId, origin }: AttackedDaemon, outputs: string): Vocabulary {
  return {
    texts: [
      ...['', 'a', 'host-1', 'peer-1', 'Running', '127.0.0.1', '::1', 'crc32:1234567890', `sha256:${'0'.repeat(64)}`],
      ...[taskId, 'f'.repeat(64), origin.url(), origin.url('/other?x=1'), 'http://127.0.0.1:1/', 'file:///etc/passwd'],
      ...['Range', 'bytes=0-9', 'bytes=-1', 'Host', 'X-A'],
    ],
    right: {
      taskid: [taskId, 'e'.repeat(64)],
      ...{ hostid: ['host-1', 'host-2'], peerid: ['peer-1', 'peer-2'], id: ['host-1', 'peer-1', taskId] },
      ...{ ip: ['127.0.0.1', '::1'], remoteip: ['127.0.0.1', ''], hostname: ['host-1'], parentid: ['peer-2'] },
      url: [origin.url(), origin.url('/other?x=1'), 'http://127.0.0.1:1/'],
      digest: ['', 'crc32:1234567890', `sha256:${'0'.repeat(64)}`],
      contentforcalculatingtaskid: ['a', 'b'],
    },
    outputPaths: [
      '',
      'relative',
      outputs,
      join(outputs, 'a'),
      join(outputs, 'b'),
      join(outputs, 'missing', 'c'),
      `${outputs}/\0`,
    ],
  };
}

async function fuzzMethod({ client, method }: Target, samples: readonly Buffer[][], report: FuzzReport): Promise<void> {
  const name = `${method.service}/${method.name}`;
  const answers = new Map<string, number>();
  report.answers.set(name, answers);
  const queue = samples.values();
  const work = async (): Promise<void> => {
    for (const messages of queue) {
      const answer = await call(client, method, messages);
      report.inputs++;
      const label = typeof answer === 'string' ? answer : (status[answer.code] ?? String(answer.code));
      answers.set(label, (answers.get(label) ?? 0) + 1);
      const why = typeof answer === 'string' ? undefined : bugIn(answer);
      if (why !== undefined)
        report.findings.push(`${name} ${messages.map((each) => each.toString('hex')).join(',')}: ${why}`);
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
}

/** One call to its end; "open" for a stream that has more to say or to hear. */
function call(client: Client, method: MethodDescriptor, messages: readonly Buffer[]): Promise<StatusObject | 'open'> {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const isStream = method.requestStream || method.responseStream;
  return new Promise((resolve) => {
    const stream = client.makeBidiStreamRequest<Buffer, Buffer>(method.path, asIs, asIs, {
      deadline: Date.now() + UNARY_TIMEOUT_MS,
    });
    const patience = isStream
      ? setTimeout(() => {
          resolve('open');
          stream.cancel();
        }, STREAM_PATIENCE_MS)
      : undefined;
    stream.on('error', () => undefined);
    stream.on('data', () => undefined);
    stream.once('status', (ended: StatusObject) => {
      clearTimeout(patience);
      resolve(ended);
    });
    for (const message of messages) stream.write(message);
    stream.end();
  });
}

/** An answer that no request, however odd, should get. */
function bugIn({ code, details, metadata }: StatusObject): string | undefined {
  if (code === status.DEADLINE_EXCEEDED) return 'no answer in time';
  if (code === status.UNAVAILABLE && /connect|dropped|closed/i.test(details)) return details;
  if (code === status.UNKNOWN || metadata.get('dfpeer-error-code')[0] === 'DFP_INTERNAL') return details;
  return undefined;
}
