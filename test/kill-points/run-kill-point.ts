import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLogger, type Logger } from '../../src/core/logger.js';
import { PieceLayout } from '../../src/core/piece.js';
import { computeTaskId } from '../../src/core/task-id.js';
import { Origin } from '../support/origin.js';
import {
  JOURNAL_VARIABLE,
  KILL_AT_VARIABLE,
  MOMENT_VARIABLE,
  STORE_VARIABLE,
  type KillPoint,
  type SyscallPoint,
} from './kill-plan.js';
import { fetchThrough, PIECES_IN_FLIGHT, startPeer, storeOf } from './peer.js';

const PIECE_LENGTH = 4 * 1024 * 1024;
const HOOK = new URL('./kill-hook.js', import.meta.url).href;
const DOWNLOADER = fileURLToPath(new URL('./downloader.js', import.meta.url));
const NEVER: KillPoint = { at: Number.MAX_SAFE_INTEGER, moment: 'before' };

/** `changed`: a part of the task is stored from before its content changed at the origin, so that it is removed and made anew. */
export type Scenario = 'fresh' | 'changed';

export interface KillPointContents {
  old: Buffer;
  current: Buffer;
}

/** Of how the program ends: killed, or at its own end when it does fewer operations. */
export interface KillPointResult {
  journal: string;
  wasKilled: boolean;
  /** Bytes that the origin gave, both processes together. */
  originBytes: number;
}

/** One download killed at one point, and everything that must hold afterwards. Rejects when something doesn't. */
export async function runKillPoint(
  scenario: Scenario,
  contents: KillPointContents,
  point: KillPoint | SyscallPoint = NEVER,
): Promise<KillPointResult> {
  const directory = await mkdtemp(join(tmpdir(), 'dfpeer-kill-'));
  const { old, current } = contents;
  const origin = await Origin.start(scenario === 'changed' ? old : current, { etag: '"old"' });
  try {
    const store = join(directory, 'storage');
    if (scenario === 'changed') await storePart(store, origin, join(directory, 'part'));
    origin.replace(current, { etag: '"current"' });
    const before = origin.contentBytes;
    const { journal, wasKilled } = await runDownloader(directory, store, origin.url(), point);
    const warnings: string[] = [];
    const peer = await startPeer(store, collectingLogger(warnings));
    try {
      const taskId = computeTaskId({ url: origin.url() });
      const pieces = new PieceReader(peer.ports.http, taskId, current.length);
      await pieces.check(scenario === 'changed' ? [old, current] : [current]);
      assert.equal(await fetchThrough(store, origin.url(), join(directory, 'out')), taskId);
      assert.ok((await readFile(join(directory, 'out'))).equals(current), 'the output is what the origin has');
      assert.equal(await pieces.check([current]), pieces.count, 'all pieces are served in the end');
    } finally {
      await peer.stop();
    }
    const originBytes = origin.contentBytes - before;
    assert.ok(originBytes <= current.length + PIECES_IN_FLIGHT * PIECE_LENGTH, `the origin gave ${originBytes} bytes`);
    assert.deepEqual(warnings, []);
    await assertTidy(storeOf(store));
    return { journal, wasKilled, originBytes };
  } finally {
    await origin.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function storePart(store: string, origin: Origin, output: string): Promise<void> {
  const peer = await startPeer(store, silentLogger);
  try {
    await fetchThrough(store, origin.url(), output, `bytes=0-${PIECE_LENGTH * 2 - 1}`);
  } finally {
    await peer.stop();
  }
}

async function runDownloader(
  directory: string,
  store: string,
  url: string,
  point: KillPoint | SyscallPoint,
): Promise<{ journal: string; wasKilled: boolean }> {
  const journal = join(directory, 'journal');
  await writeFile(journal, '');
  const program = [DOWNLOADER, store, url, join(directory, 'out')];
  const [command = '', ...args] =
    'syscall' in point
      ? [...killedByStrace(point), process.execPath, ...program]
      : [process.execPath, '--import', HOOK, ...program];
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DFPEER_HOME: directory, ...('moment' in point ? hookVariables(store, journal, point) : {}) },
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.ok(signal === 'SIGKILL' || code === 0, `the downloader ended with ${code ?? signal}`);
  return { journal: await readFile(journal, 'latin1'), wasKilled: signal === 'SIGKILL' };
}

function hookVariables(store: string, journal: string, { at, moment }: KillPoint): NodeJS.ProcessEnv {
  return {
    [STORE_VARIABLE]: storeOf(store),
    [JOURNAL_VARIABLE]: journal,
    [KILL_AT_VARIABLE]: String(at),
    [MOMENT_VARIABLE]: moment,
  };
}

function killedByStrace({ syscall, at }: SyscallPoint): string[] {
  const inject = `inject=${syscall}:signal=KILL:when=${at}`;
  return ['strace', '-f', '-qq', '--seccomp-bpf', '-o', '/dev/null', '-e', `trace=${syscall}`, '-e', inject];
}

/** Asks the HTTP piece port for each piece. */
class PieceReader {
  readonly #url: string;
  readonly #layout: PieceLayout;

  constructor(port: number, taskId: string, contentLength: number) {
    this.#url = `http://127.0.0.1:${port}/download/${taskId.slice(0, 3)}/${taskId}?peerId=test`;
    this.#layout = new PieceLayout(contentLength, PIECE_LENGTH);
  }

  get count(): number {
    return this.#layout.count;
  }

  /** How many pieces are served; each must be what one of the contents has there. */
  async check(contents: readonly Buffer[]): Promise<number> {
    let served = 0;
    for (const { number, offset, length } of this.#layout.all()) {
      const response = await fetch(this.#url, { headers: { range: `bytes=${offset}-${offset + length - 1}` } });
      const bytes = Buffer.from(await response.arrayBuffer());
      if (response.status !== 206) {
        assert.ok([404, 416, 503].includes(response.status), `piece ${number} is answered with ${response.status}`);
        continue;
      }
      served++;
      const isRight = contents.some((content) => content.subarray(offset, offset + length).equals(bytes));
      assert.ok(isRight, `piece ${number} is served with wrong bytes`);
    }
    return served;
  }
}

/** Nothing but the one data file and LevelDB's own. */
async function assertTidy(store: string): Promise<void> {
  const entries = await readdir(store, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
  const content = files.filter((path) => !path.startsWith(join(store, 'metadata')));
  assert.equal(content.length, 1, `one data file is left: ${content.join(', ')}`);
  const shards = entries.filter((entry) => entry.isDirectory() && entry.parentPath === join(store, 'content'));
  assert.equal(shards.length, 1, 'no empty directory is left');
}

function collectingLogger(warnings: string[]): Logger {
  const note = (_: object, message: string): void => void warnings.push(message);
  const logger: Logger = { ...silentLogger, warn: note, error: note, child: () => logger };
  return logger;
}
