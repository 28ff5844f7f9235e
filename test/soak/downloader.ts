import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { ERROR_KINDS, isErrorCode } from '../../src/core/errors.js';
import type { ByteRange } from '../../src/core/piece.js';
import type { DownloadOrder } from './plan.js';

const DFGET = fileURLToPath(new URL('../../../bin/dfget', import.meta.url));
/** Starting node, and ending it, on a machine that is busy. */
const GRACE_MS = 10_000;
/** Somebody who hangs is put out of the misery this long after that. */
const KILL_AFTER_MS = 30_000;

export interface DownloadTally {
  downloads: number;
  succeeded: number;
  /** Bytes of all successes: what the origin would have given without a daemon. */
  bytes: number;
  /** Failures by code. */
  failures: Map<string, number>;
  /** What must never happen. */
  violations: string[];
  longestMs: number;
  longestBeyondTimeoutMs: number;
}

/** Runs dfget as a user would, and looks at everything it leaves behind. */
export class Downloader {
  readonly tally: DownloadTally = {
    ...{ downloads: 0, succeeded: 0, bytes: 0, longestMs: 0, longestBeyondTimeoutMs: -Infinity },
    failures: new Map(),
    violations: [],
  };
  readonly #directory: string;
  readonly #socketPaths: readonly string[];
  readonly #url: (order: DownloadOrder) => string;
  #outputs = 0;

  constructor(directory: string, socketPaths: readonly string[], url: (order: DownloadOrder) => string) {
    this.#directory = directory;
    this.#socketPaths = socketPaths;
    this.#url = url;
  }

  /** True when the right bytes came. */
  async run(order: DownloadOrder): Promise<boolean> {
    const range = rangeOf(order);
    const output = join(this.#directory, `output-${this.#outputs++}`);
    const { code, stderr, tookMs } = await runDfget(this.#arguments(order, range, output), order.timeoutMs);
    const { tally } = this;
    tally.downloads++;
    tally.longestMs = Math.max(tally.longestMs, tookMs);
    tally.longestBeyondTimeoutMs = Math.max(tally.longestBeyondTimeoutMs, tookMs - order.timeoutMs);
    const what = `${order.file.name} (${order.file.size} bytes${range === undefined ? '' : `, ${range.offset}+${range.length}`}) through daemon ${order.daemon} with ${order.flags.join(' ') || 'no flags'}`;
    if (tookMs > order.timeoutMs + GRACE_MS)
      tally.violations.push(`${what} took ${Math.round(tookMs)} ms with a timeout of ${order.timeoutMs} ms`);
    if (code === 0) await this.#checkOutput(what, output, order, range);
    else await this.#checkFailure(what, output, { sha256: order.file.sha256(range), code, stderr });
    return code === 0;
  }

  /** Whatever is left in the directory of the outputs. */
  async leftovers(): Promise<string[]> {
    return (await readdir(this.#directory)).map((name) => `${name} was left behind`);
  }

  #arguments(order: DownloadOrder, range: ByteRange | undefined, output: string): string[] {
    const socketPath = this.#socketPaths[order.daemon] ?? '';
    return [
      ...[this.#url(order), '-O', output, '--endpoint', socketPath, '--no-progress'],
      ...['--timeout', `${order.timeoutMs}ms`, ...order.flags],
      ...(range === undefined ? [] : ['--range', `${range.offset}-${range.offset + range.length - 1}`]),
      ...(order.withDigest ? ['--digest', `sha256:${order.file.sha256(range)}`] : []),
    ];
  }

  async #checkOutput(
    what: string,
    output: string,
    { file }: DownloadOrder,
    range: ByteRange | undefined,
  ): Promise<void> {
    const found = await sha256OfFile(output).catch((error: unknown) => String(error));
    if (found !== file.sha256(range)) this.tally.violations.push(`${what} succeeded with wrong content: ${found}`);
    this.tally.succeeded++;
    this.tally.bytes += range?.length ?? file.size;
    await rm(output, { force: true });
  }

  async #checkFailure(
    what: string,
    output: string,
    { sha256, code, stderr }: { sha256: string; code: number | string; stderr: string },
  ): Promise<void> {
    const { failures, violations } = this.tally;
    const named = /\bDFP_[A-Z_]+\b/.exec(stderr)?.[0];
    const isCoded = isErrorCode(named) && ERROR_KINDS[named] !== 'internal' && typeof code === 'number';
    if (!isCoded) violations.push(`${what} failed without a reason, exit ${code}: ${stderr.trim()}`);
    const key = named ?? 'none';
    failures.set(key, (failures.get(key) ?? 0) + 1);
    // A daemon that is killed between its last act and its word has left the whole of it.
    const allowed = named === 'DFP_DAEMON_UNREACHABLE' ? sha256 : undefined;
    const found = await sha256OfFile(output).catch(() => undefined);
    if (found !== undefined && found !== allowed)
      violations.push(`${what} failed (${key}) and left an output: ${found}`);
    await rm(output, { force: true });
  }
}

function rangeOf({ range, file }: DownloadOrder): ByteRange | undefined {
  if (range === undefined) return undefined;
  const offset = Math.floor(range.from * (file.size - 1));
  return { offset, length: Math.max(1, Math.floor(range.to * file.size) - offset) };
}

async function runDfget(
  args: readonly string[],
  timeoutMs: number,
): Promise<{ code: number | string; stderr: string; tookMs: number }> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [DFGET, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs + GRACE_MS + KILL_AFTER_MS);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  return { code: code ?? signal ?? -1, stderr, tookMs: performance.now() - startedMs };
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
