import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Logger } from '../../../src/core/logger.js';
import { silentLogger } from '../../../src/core/logger.js';
import { noTracing } from '../../../src/core/tracing.js';
import {
  MAX_QUEUED_SPANS,
  MAX_SPANS_PER_EXPORT,
  TRACE_FLUSH_TIMEOUT_MS,
} from '../../../src/peer/tracing/open-telemetry.js';
import { openTracing } from '../../../src/peer/tracing/open-tracing.js';
import { ROOT, sourceFiles } from '../../docs/support.js';
import { DaemonProcess } from '../../support/daemon-process.js';
import { Origin } from '../../support/origin.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

interface ReceivedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Record<string, unknown> }[];
  status: { code?: number; message?: string };
}

interface ExportRequest {
  resourceSpans: { resource: { attributes: ReceivedSpan['attributes'] }; scopeSpans: { spans: ReceivedSpan[] }[] }[];
}

/** An OpenTelemetry collector as far as traces in JSON go. */
class Collector {
  readonly spans: ReceivedSpan[] = [];
  readonly requests: { url: string; headers: Record<string, unknown>; body: ExportRequest; text: string }[] = [];
  readonly #server: Server;

  private constructor(answers: boolean) {
    this.#server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        const body = JSON.parse(text) as ExportRequest;
        this.requests.push({ url: request.url ?? '', headers: request.headers, body, text });
        for (const { scopeSpans } of body.resourceSpans) for (const { spans } of scopeSpans) this.spans.push(...spans);
        if (answers) response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
  }

  static async start({ answers = true } = {}): Promise<Collector> {
    const collector = new Collector(answers);
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  get endpoint(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  named(name: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function attribute(span: ReceivedSpan | undefined, key: string): unknown {
  const value = span?.attributes.find((each) => each.key === key)?.value;
  return value === undefined ? undefined : Object.values(value)[0];
}

const PROCESS = { version: '1.2.3', hostname: 'here', ip: '127.0.0.1' };

describe('tracing of two daemons', function () {
  this.timeout(90_000);
  const directory = useTemporaryDirectory();
  let collector: Collector;
  let origin: Origin;
  const daemons: DaemonProcess[] = [];

  beforeEach(async () => {
    collector = await Collector.start();
    origin = await Origin.start(9 * 1024 * 1024);
  });

  afterEach(async () => {
    await Promise.all(daemons.splice(0).map((daemon) => daemon.end()));
    await origin.close();
    await collector.close();
  });

  async function start(name: string, config: Record<string, unknown> = {}): Promise<DaemonProcess> {
    const tracing = { protocol: 'http', endpoint: collector.endpoint, headers: { 'x-team': 'Größe ☃' } };
    const daemon = await DaemonProcess.start(join(directory(), name), { tracing, ...config });
    daemons.push(daemon);
    return daemon;
  }

  it('shows a download with its pieces from the origin, then from a parent, and that one’s uploads', async () => {
    const a = await start('a');
    const scheduler = { addrs: [`127.0.0.1:${a.ports.scheduler ?? 0}`], embedded: { enable: false } };
    const b = await start('b', { scheduler });
    for (const daemon of [a, b]) {
      const url = origin.url('/f.bin?X-Amz-Signature=hunter2&part=7');
      const { code, stderr } = await daemon.dfget(url, '-O', join(daemon.directory, 'out'), '--no-progress');
      assert.equal(code, 0, stderr);
    }
    await until('all spans', async () => collector.named('download task').length === 2);
    await until('all uploads', async () => collector.named('upload').length === 3);
    await until('the telling', async () => collector.named('tell pieces').length > 0);
    const [first, second] = collector
      .named('download task')
      .sort((x, y) => x.startTimeUnixNano.localeCompare(y.startTimeUnixNano));
    const below = (span: ReceivedSpan | undefined, name: string): ReceivedSpan[] =>
      collector
        .named(name)
        .filter(({ parentSpanId, traceId }) => parentSpanId === span?.spanId && traceId === span?.traceId);
    assert.equal(below(first, 'piece from origin').length, 3);
    assert.equal(below(second, 'piece from parent').length, 3);
    assert.equal(below(second, 'piece from origin').length, 0);
    const taskId = attribute(first, 'task.id');
    assert.match(String(taskId), /^[0-9a-f]{64}$/);
    const pieces = below(second, 'piece from parent');
    assert.equal(below(second, 'tell pieces').length, 1, 'the parent tells its pieces in the same trace');
    for (const upload of collector.named('upload')) {
      assert.equal(upload.traceId, second?.traceId);
      assert.ok(
        pieces.some(({ spanId }) => spanId === upload.parentSpanId),
        'an upload belongs to the fetch of its piece',
      );
      assert.equal(attribute(upload, 'task.id'), taskId);
      assert.equal(attribute(upload, 'upload.result'), 'complete');
      assert.equal(attribute(upload, 'upload.sent'), attribute(upload, 'upload.length'));
      assert.ok(upload.endTimeUnixNano >= upload.startTimeUnixNano);
    }
    assert.match(String(attribute(first, 'url.full')), /\?X-Amz-Signature=redacted&part=7$/);
    for (const { url, headers, text } of collector.requests) {
      assert.equal(url, '/v1/traces');
      assert.equal(Buffer.from(String(headers['x-team']), 'latin1').toString('utf8'), 'Größe ☃');
      assert.doesNotMatch(text, /hunter2/);
    }
  });

  it('marks a failed download with its code', async () => {
    origin.behaviour = { status: 404 };
    const a = await start('a');
    const { code } = await a.dfget(origin.url(), '-O', join(directory(), 'out'), '--no-progress');
    assert.equal(code, 3);
    await until('the span', async () => collector.named('download task').length === 1);
    const [span] = collector.named('download task');
    assert.equal(span?.status.code, 2);
    assert.equal(attribute(span, 'error.type'), 'DFP_ORIGIN_STATUS');
  });

  it('sends what is left when the daemon ends', async () => {
    const a = await start('a');
    await a.dfget(origin.url(), '-O', join(directory(), 'out'), '--no-progress');
    assert.equal(await a.end(), 0);
    assert.equal(collector.named('download task').length, 1);
  });
});

describe('a trace collector', function () {
  this.timeout(30_000);

  it('that never answers does not hold up the end for longer than its bound', async () => {
    const collector = await Collector.start({ answers: false });
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };
    const tracing = await openTracing({ url: `http://${collector.endpoint}/v1/traces`, headers: {} }, PROCESS, logger);
    tracing.tracer.begin('work', {}).end();
    const startedMs = performance.now();
    await tracing.close();
    assert.ok(performance.now() - startedMs < 5 * TRACE_FLUSH_TIMEOUT_MS);
    assert.ok(warnings.includes('the last traces were not sent'), warnings.join());
    await collector.close();
  });

  it('that is gone costs spans, one warning, and bounded memory', async () => {
    const collector = await Collector.start();
    const { endpoint } = collector;
    await collector.close();
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };
    const tracing = await openTracing({ url: `http://${endpoint}/v1/traces`, headers: {} }, PROCESS, logger);
    for (let index = 0; index < 3 * MAX_QUEUED_SPANS; index++) tracing.tracer.begin('work', { index }).end();
    await tracing.close();
    assert.ok(warnings.filter((text) => text.startsWith('traces could not be sent')).length <= 1, warnings.join());
  });

  it('gets no more than the queue holds of a burst', async () => {
    const collector = await Collector.start();
    const settings = { url: `http://${collector.endpoint}/v1/traces`, headers: {} };
    const tracing = await openTracing(settings, PROCESS, silentLogger);
    for (let index = 0; index < MAX_QUEUED_SPANS + 1000; index++) tracing.tracer.begin('work', {}).end();
    await tracing.close();
    // One request may have left before the queue was full.
    assert.ok(collector.spans.length >= MAX_QUEUED_SPANS);
    assert.ok(collector.spans.length <= MAX_QUEUED_SPANS + MAX_SPANS_PER_EXPORT);
    await collector.close();
  });
});

describe('no tracing', () => {
  it('is the default: a tracer that does nothing', async () => {
    const { tracer, close } = await openTracing(undefined, PROCESS, silentLogger);
    assert.equal(tracer, noTracing);
    await close();
  });

  it('loads none of the libraries: only one file imports them, and nothing imports that one at start', async () => {
    const importing: string[] = [];
    const eager: string[] = [];
    for (const file of await sourceFiles('src')) {
      const text = await readFile(join(ROOT, file), 'utf8');
      if (text.includes("from '@opentelemetry/")) importing.push(file);
      if (/from '[^']*\/open-telemetry\.js'/.test(text) && !file.startsWith('src/docs/')) eager.push(file);
    }
    assert.deepEqual(importing, ['src/peer/tracing/open-telemetry.ts']);
    assert.deepEqual(eager, []);
  });
});
