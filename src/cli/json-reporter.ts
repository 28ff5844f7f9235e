import type { Writable } from 'node:stream';
import { printableJson } from '../core/printable.js';
import { redactText, redactUrl } from '../core/redact.js';
import type { DaemonStory } from './daemon-call/story.js';
import type { DownloadProgress, DownloadResult } from './download-client.js';
import type { Reporter, TargetReporter } from './reporter.js';
import { hostOfPeer } from './source-ledger.js';
import type { Target } from './url-list.js';

/** Of the lines; grows when a field changes its meaning or goes. New fields and events may come at any time. */
export const JSON_EVENTS_VERSION = 1;
/** Between two `progress` events of one download. */
export const JSON_PROGRESS_INTERVAL_MS = 500;

/** --json: one line per event, described in docs/DFGET.md. */
export class JsonReporter implements Reporter {
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  daemonStarts(): void {
    this.#write('daemon', { state: 'starting' });
  }

  daemonEnds(): void {
    this.#write('daemon', { state: 'stopping' });
  }

  begin({ url, output }: Target, index: number): TargetReporter {
    const startedMs = performance.now();
    const elapsedMs = (): number => Math.round(performance.now() - startedMs);
    const path = output.kind === 'stdout' ? '-' : output.path;
    const about = { index, url: redactUrl(url), output: path };
    let lastMs = startedMs;
    this.#write('begin', about);
    return {
      onProgress: (progress) => {
        if (performance.now() - lastMs < JSON_PROGRESS_INTERVAL_MS) return;
        lastMs = performance.now();
        this.#write('progress', { ...about, ...counts(progress), elapsedMs: elapsedMs() });
      },
      done: (result) => this.#write('done', { ...about, ...outcomeOf(result), elapsedMs: elapsedMs() }),
      failed: ({ code, kind, message }, exitCode) =>
        this.#write('failed', { ...about, code, kind, message: redactText(message), exitCode, elapsedMs: elapsedMs() }),
    };
  }

  end(outcome: Parameters<Reporter['end']>[0]): void {
    this.#write('end', outcome);
  }

  #write(event: string, fields: object): void {
    this.#stream.write(
      `${printableJson({ v: JSON_EVENTS_VERSION, event, time: new Date().toISOString(), ...fields })}\n`,
    );
  }
}

function counts({ taskId, peerId, contentLength, wantedBytes, bytes, bytesBySource }: DownloadProgress): object {
  return { taskId, peerId, contentLength, wantedBytes, bytes, bytesBySource };
}

function outcomeOf(result: DownloadResult): object {
  const { outputBytes, outputMethod, shares, story, firstPieceMs } = result;
  const sources = shares.map(({ peerId, bytes, pieces, busyMs }) => ({
    kind: peerId === undefined ? 'origin' : 'peer',
    ...(peerId === undefined ? {} : { host: hostOfPeer(peerId), peerId }),
    bytes,
    pieces,
    busyMs: Math.round(busyMs),
    ...(peerId === undefined ? {} : { carried: carriedBy(peerId, story) }),
  }));
  return {
    ...counts(result),
    sources,
    outputBytes,
    outputMethod,
    originReason: story.originReason,
    firstByteMs: rounded(story.firstByteMs),
    firstPieceMs: rounded(firstPieceMs),
  };
}

/** How the bytes left this parent; empty when nobody tells. */
function carriedBy(peerId: string, { carried }: DaemonStory): object[] {
  return carried
    .filter(({ parentId }) => parentId === peerId)
    .map(({ protocol, route, reason, bytes }) => ({ protocol, route, reason, bytes }));
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms);
}
