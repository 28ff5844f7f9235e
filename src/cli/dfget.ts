import { findPlaces, SYSTEM_SOCKET_PATH } from '../config/places.js';
import { AbortedError } from '../core/errors.js';
import { formatTaskDigest } from '../core/task-digest.js';
import type { Download } from '../generated/common/v2/Download.js';
import { toDuration } from '../grpc/wire.js';
import { isListening, requireDaemon, startDaemon, startLogIn } from './daemon-connection.js';
import { parseDfgetOptions, type DfgetOptions } from './dfget-options.js';
import { download } from './download-client.js';
import { EXIT_CODES } from './exit-codes.js';
import { openOutput } from './output-target.js';
import { createProgress } from './progress.js';
import { reportError } from './report-error.js';
import { readVersion } from './version.js';

/** A daemon that dfget starts ends after so long without work. */
const DEFAULT_ALIVE_TIME = '5m';

/** dfget: one URL through the daemon into a file. Resolves with the exit code. */
async function main(): Promise<number> {
  const parsed = parseDfgetOptions(process.argv.slice(2), process.env, readVersion());
  if (parsed.kind === 'show') {
    process.stdout.write(parsed.text);
    return EXIT_CODES.ok;
  }
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new AbortedError('the download')));
  process.once('SIGTERM', () => controller.abort(new AbortedError('the download')));
  try {
    await get(parsed.options, controller.signal);
    return EXIT_CODES.ok;
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    process.stderr.write('dfget: interrupted; run it again to go on from there\n');
    return EXIT_CODES.interrupted;
  }
}

async function get(options: DfgetOptions, signal: AbortSignal): Promise<void> {
  const output = await openOutput(options);
  const socketPath = await findDaemon(options, signal);
  const progress = createProgress({ enabled: options.showProgress, stream: process.stderr, env: process.env });
  try {
    const message = toMessage(options, output.daemonPath);
    const events = {
      onProgress: progress.onProgress.bind(progress),
      onBegun: output.onBegun,
      onContent: output.write,
    };
    const result = await download(socketPath, message, {
      timeoutMs: options.timeoutMs,
      signal,
      events,
      rateLimitBytesPerSecond: options.rateLimitBytesPerSecond,
    });
    await output.finish(options.digest);
    progress.finish(result, output.shown);
  } finally {
    progress.stop();
    await output.discard();
  }
}

/** The socket of a daemon that answers: the one named, the user's own, the system's; or one started now. */
async function findDaemon({ endpoint }: DfgetOptions, signal: AbortSignal): Promise<string> {
  if (endpoint !== undefined) {
    await requireDaemon(endpoint);
    return endpoint;
  }
  const places = findPlaces();
  const candidates = places.kind === 'user' ? [places.socketPath, SYSTEM_SOCKET_PATH] : [places.socketPath];
  for (const candidate of candidates) if (await isListening(candidate)) return candidate;
  const say = (text: string): void => void process.stderr.write(`dfget: ${text}\n`);
  const aliveTime = process.env.DFPEER_ALIVE_TIME ?? DEFAULT_ALIVE_TIME;
  await startDaemon(places.socketPath, { startLog: startLogIn(places.logDir), aliveTime, say }, signal);
  return places.socketPath;
}

function toMessage(options: DfgetOptions, outputPath: string | undefined): Download {
  const { digest, pieceLength, contentForCalculatingTaskId, range, requestHeader } = options;
  return {
    url: options.url,
    type: 0,
    tag: options.tag,
    application: options.application,
    priority: options.priority as 0 | 1 | 2 | 3 | 4 | 5 | 6,
    filteredQueryParams: [...options.filteredQueryParams],
    requestHeader: { ...requestHeader, ...(range === undefined ? {} : { Range: range }) },
    timeout: toDuration(options.timeoutMs),
    disableBackToSource: options.disableBackToSource,
    forceHardLink: options.forceHardLink,
    overwrite: options.overwrite,
    needPieceContent: outputPath === undefined,
    ...(outputPath === undefined ? {} : { outputPath }),
    ...(digest === undefined ? {} : { digest: formatTaskDigest(digest) }),
    ...(pieceLength === undefined ? {} : { pieceLength }),
    ...(contentForCalculatingTaskId === undefined ? {} : { contentForCalculatingTaskId }),
  };
}

process.exitCode = await main().catch((error: unknown) => reportError('dfget', error));
