import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireNative } from './support.js';

const LENGTH = 3_000_000;
const index = new URL('../index.js', import.meta.url).href;

/** Sends a file of its own to a client of its own, then goes on with `afterwards`. */
const script = (path: string, afterwards: string, inlineBytes = 0): string => `
  import { openSync } from 'node:fs';
  import { connect, createServer } from 'node:net';
  import { SendFileEngine } from ${JSON.stringify(index)};
  const engine = new SendFileEngine({ inlineBytes: ${inlineBytes} });
  const file = { fd: openSync(${JSON.stringify(path)}, 'r') };
  let received = 0;
  const server = createServer(async (socket) => {
    const sending = engine.sendFile(socket, file, { offset: 0, length: ${LENGTH} });
    ${afterwards}
    const { outcome } = await sending;
    socket.end();
    server.close();
    socket.once('close', () => console.log(outcome, received));
  }).listen(0, '127.0.0.1', () => {
    connect(server.address().port, '127.0.0.1').on('data', (chunk) => (received += chunk.length));
  });
`;

describe('a process with an engine', () => {
  let directory: string;
  let path: string;
  before(function () {
    requireNative(this);
    directory = mkdtempSync(join(tmpdir(), 'native-test-'));
    path = join(directory, 'file');
    writeFileSync(path, Buffer.alloc(LENGTH, 7));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  const run = (source: string): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', source], { timeout: 20_000 });

  it('ends by itself once nothing is left to send', async () => {
    const { stdout } = await run(script(path, ''));
    assert.equal(stdout.trim(), `complete ${LENGTH}`);
  });

  it('ends although stderr can not be synced, as on a disk that is full', async () => {
    await run(`
      import { closeSync } from 'node:fs';
      import { nativeSupport } from ${JSON.stringify(index)};
      if (nativeSupport().available) closeSync(2);
    `);
  });

  /** A transfer to a client that reads nothing; `then` runs once it has begun. */
  const scriptThatStalls = (then: string): string => `
    import { openSync, truncateSync } from 'node:fs';
    import { connect, createServer } from 'node:net';
    import { SendFileEngine } from ${JSON.stringify(index)};
    import { spawnEngineWorker } from ${JSON.stringify(new URL('../worker-lane.js', import.meta.url).href)};
    import { SlotTable } from ${JSON.stringify(new URL('../slot-table.js', import.meta.url).href)};
    const length = ${64 * 1024 * 1024};
    truncateSync(${JSON.stringify(join(directory, 'long'))}, length);
    const file = { fd: openSync(${JSON.stringify(join(directory, 'long'))}, 'r') };
    let table;
    const engine = new SendFileEngine({
      spawnWorker: (input) => {
        table = new SlotTable(input.capacity, input.memory);
        return spawnEngineWorker(input);
      },
    });
    createServer((socket) => {
      const transfer = engine.start(socket, file, { offset: 0, length });
      process.once('exit', () => console.log(engine.activeTransfers, 'active', table.started ? 'started' : 'starting'));
      ${then}
    }).listen(0, '127.0.0.1', function () {
      connect(this.address().port, '127.0.0.1').pause();
    });
  `;

  it('ends on process.exit() while a transfer runs and its worker sleeps', async () => {
    writeFileSync(join(directory, 'long'), '');
    const { stdout } = await run(
      scriptThatStalls(`
        let before = -1;
        setInterval(() => {
          if (transfer.bytesSent === before && before > 0) process.exit(0);
          before = transfer.bytesSent;
        }, 50);
      `),
    );
    assert.equal(stdout.trim(), '1 active started');
  });

  it('lets a worker come up before it ends on process.exit(): koffi aborts the process otherwise', async () => {
    writeFileSync(join(directory, 'long'), '');
    const { stdout } = await run(scriptThatStalls('process.exit(0);'));
    assert.equal(stdout.trim(), '1 active started');
  });

  it('ends with the error when one is not caught', async () => {
    const failing = run(script(path, "setImmediate(() => { throw new Error('oh no'); });"));
    await assert.rejects(failing, { code: 1, killed: false });
  });

  for (const inlineBytes of [0, 2 * LENGTH]) {
    it(`sends by sendfile(2), as strace sees it (inline up to ${inlineBytes})`, async function () {
      if (spawnSync('strace', ['-f', 'true'], { stdio: 'ignore' }).status !== 0) {
        console.warn('skipped: strace cannot trace here');
        this.skip();
      }
      const trace = join(directory, 'trace');
      const node = [process.execPath, '--input-type=module', '-e', script(path, '', inlineBytes)];
      await promisify(execFile)('strace', ['-f', '-e', 'trace=sendfile', '-o', trace, ...node], { timeout: 30_000 });
      const results = [...readFileSync(trace, 'utf8').matchAll(/sendfile.*= (\d+)$/gm)].map((match) =>
        Number(match[1]),
      );
      assert.equal(
        results.reduce((sum, count) => sum + count, 0),
        LENGTH,
      );
    });
  }
});
