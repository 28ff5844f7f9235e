import type { DfpeerError } from '../core/errors.js';
import type { DownloadEvents, DownloadResult } from './download-client.js';
import type { Target } from './url-list.js';

/** How dfget tells what happens: for people or for programs. */
export interface Reporter {
  /** A daemon is being started. */
  daemonStarts(): void;
  /** The daemon is shutting down, and its end is waited for. */
  daemonEnds(): void;
  begin(target: Target, index: number): TargetReporter;
  /** The last thing that is told. */
  end(outcome: { files: number; failed: number; exitCode: number; interrupted: boolean }): void;
}

/** One of the downloads. */
export interface TargetReporter extends Pick<DownloadEvents, 'onProgress'> {
  /** All of it is here; with `-O -` it goes to stdout now, and nothing may write between its lines. */
  onDownloaded?(): void;
  done(result: DownloadResult, output: string): void;
  /** `interrupted`: somebody asked to stop, which is no failure to complain about. */
  failed(error: DfpeerError, exitCode: number, interrupted: boolean): void;
}
