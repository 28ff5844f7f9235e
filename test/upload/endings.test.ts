import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { EngineError, type SendFileResult, SyscallError, type TransferEngine } from '../../native/index.js';
import { systemClock } from '../../src/core/clock.js';
import { type LogFields, type Logger, silentLogger } from '../../src/core/logger.js';
import { LogTail } from '../../src/peer/status/log-tail.js';
import { runPaced } from '../../src/upload/transfer/engine-route.js';
import type { Segment } from '../../src/upload/transfer/segment.js';
import { httpClient, readToEnd } from './support/clients.js';
import { type RunningService, startService } from './support/service.js';

const { EINVAL, EMFILE } = constants.errno;

interface Line {
  level: string;
  fields: object;
  message: string;
}

describe('the end of an upload, as log and metrics tell it', () => {
  let lines: Line[];
  let running: RunningService | undefined;

  beforeEach(() => {
    lines = [];
  });
  afterEach(() => running?.stop());

  function loggerInto(): Logger {
    const at =
      (level: string) =>
      (fields: object, message: string): void =>
        void lines.push({ level, fields, message });
    const logger: Logger = {
      ...{ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
      child: () => logger,
    };
    return logger;
  }

  /** An upload by an engine that does nothing and says this. */
  async function uploadBy(result: Partial<SendFileResult>): Promise<RunningService> {
    running = await startService({ engine: { available: true, engine: engineThatSays(result) }, logger: loggerInto() });
    const task = running.source.add({ content: randomBytes(1000) });
    await readToEnd(httpClient.ask(running, task.taskId, task.layout.slice(0)));
    await running.settled();
    return running;
  }

  const texts = (): string[] => lines.map(({ level, message }) => `${level}: ${message}`);

  it('a kernel that refuses the file: copied for that reason, without noise', async () => {
    const { metric } = await uploadBy({ outcome: 'unsupported', error: new SyscallError('sendfile', EINVAL) });
    assert.equal(await metric('dfpeer_upload_bytes_total', { route: 'copy', reason: 'unsupported-file' }), 1000);
    assert.deepEqual(texts(), ['debug: an upload ended']);
  });

  for (const syscall of ['fcntl', 'epoll_create1', 'eventfd'])
    it(`no descriptor left for ${syscall}: copied because the engine failed, and logged`, async () => {
      const { metric } = await uploadBy({ outcome: 'unsupported', error: new SyscallError(syscall, EMFILE) });
      assert.equal(await metric('dfpeer_upload_bytes_total', { route: 'copy', reason: 'engine-failed' }), 1000);
      assert.deepEqual(texts(), ['warn: sendfile failed; the rest was copied']);
    });

  it('an engine that broke in the middle: cut off, and not called a copy', async () => {
    const { metric } = await uploadBy({ outcome: 'failed', error: new EngineError('ERR_ENGINE_WORKER_DIED', 'gone') });
    assert.equal(await metric('dfpeer_upload_transfers_total', { result: 'engine-error' }), 1);
    assert.deepEqual(texts(), [
      'warn: an upload was cut off: sendfile failed, and how much of it went out is not certain',
    ]);
    const tail = new LogTail(systemClock);
    for (const { fields, message } of lines) tail.wrap(silentLogger).warn(fields as LogFields, message);
    assert.match(tail.entries()[0]?.message ?? '', /not certain: gone$/, 'the cause is told');
  });

  it('a file that ends too early: an error of ours, and logged as one', async () => {
    const { metric } = await uploadBy({ outcome: 'truncated' });
    assert.equal(await metric('dfpeer_upload_transfers_total', { result: 'file-error' }), 1);
    assert.deepEqual(texts(), ['error: an upload ended: its file could not be read']);
  });

  it('a limiter that refuses: cut off, and not called a copy', async () => {
    running = await startService({ rates: { total: 1024 }, logger: loggerInto() });
    running.service.limits.close();
    const task = running.source.add({ content: randomBytes(1000) });
    await readToEnd(httpClient.ask(running, task.taskId, task.layout.slice(0)));
    await running.settled();
    assert.equal(await running.metric('dfpeer_upload_transfers_total', { result: 'stopped' }), 1);
    assert.deepEqual(texts(), ['warn: an upload was cut off by this peer']);
  });
});

describe('a lease of which a transfer did not send all', () => {
  const nothingStarts: TransferEngine = {
    ...engineThatSays({}),
    start: () => {
      throw new SyscallError('fcntl', EMFILE);
    },
  };
  const failed = { outcome: 'failed', error: new SyscallError('sendfile', EINVAL) } as const;
  for (const [what, engine, spent] of [
    ['the client left', engineThatSays({ outcome: 'closed', bytesSent: 100 }), 100],
    ['the engine failed, and the rest was copied', engineThatSays({ ...failed, bytesSent: 100 }), 1000],
    ['the engine did not start, and all was copied', nothingStarts, 1000],
  ] as const)
    it(`is given back: ${what}`, async () => {
      const rates = { total: 1024 * 1024, perTask: 1024 * 1024 };
      const running = await startService({ engine: { available: true, engine }, rates, limitedRoute: 'paced' });
      const task = running.source.add({ content: randomBytes(1000) });
      await readToEnd(httpClient.ask(running, task.taskId, task.layout.slice(0)));
      await running.settled();
      assert.equal(running.service.limits.total.spentBytes, spent);
      await running.stop();
    });

  it('is given back: another route was wanted before it was spent', async () => {
    let given = 0;
    let returned = 0;
    const segment = {
      ...{ socket: { writableLength: 0 }, head: new Uint8Array(0), left: 1000, signal: new AbortController().signal },
      budget: {
        take: async (wanted: number): Promise<number> => (given += wanted),
        giveBack: (unspent: number): number => (returned += unspent),
      },
      get interrupted(): boolean {
        return given > 0;
      },
    };
    const end = await runPaced(nothingStarts, segment as unknown as Segment);
    assert.deepEqual([end.kind, given, returned], ['interrupted', 1000, 1000]);
  });
});

function engineThatSays(result: Partial<SendFileResult>): TransferEngine {
  const done = Promise.resolve<SendFileResult>({ bytesSent: 0, headBytesSent: 0, outcome: 'failed', ...result });
  return {
    start: () => ({ bytesSent: 0, done, stop: () => undefined }),
    sendFile: () => done,
    activeTransfers: 0,
    close: () => Promise.resolve(),
  };
}
