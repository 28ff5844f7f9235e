import type { Writable } from 'node:stream';
import { pino } from 'pino';
import pinoPretty from 'pino-pretty';
import type { LogConfig } from '../config/daemon-config.js';
import type { LogLevel } from '../config/key-kinds.js';
import { counted } from '../core/counted.js';
import type { Logger } from '../core/logger.js';
import { printableFields } from '../core/printable.js';
import { LogDestination } from './log-destination.js';
import { openLogFiles } from './log-files.js';
import { LogLevels } from './log-levels.js';
import { RedactingLogger } from './redacting-logger.js';

/** The process's log. */
export interface Log {
  readonly logger: Logger;
  /** Of all loggers that were made of it, at once. */
  setLevels(level: LogLevel, byModule: Readonly<Record<string, LogLevel>>): void;
  /** Log files that somebody has renamed or removed are made anew. */
  reopen(): void;
  /** Lines that could not be written in time and were dropped. */
  readonly droppedLines: number;
  /** Resolves when everything is written, or after a short deadline. What is logged later is lost. Idempotent. */
  close(): Promise<void>;
}

export interface LogOptions extends LogConfig {
  /** "dfdaemon": the files are `dfdaemon.log`, `dfdaemon.log.1`, … */
  name: string;
  /** For --console; stdout by default. Pretty when it is a terminal, JSON otherwise. */
  consoleStream?: Writable & { isTTY?: boolean };
  /** Told when the log itself fails; a line on stderr by default. */
  onFailure?: (error: Error) => void;
}

/** @throws DfpeerError (DFP_CONFIG) when the log directory can't be used */
export async function openLog(options: LogOptions): Promise<Log> {
  const { name, console: toConsole, consoleStream = process.stdout, onFailure = complainOnce(name) } = options;
  const files = toConsole ? undefined : await openLogFiles({ ...options, fileName: `${name}.log` });
  const stream = files ?? consoleStream;
  const isPretty = toConsole && consoleStream.isTTY === true;
  const format = isPretty ? prettyPrinter((process.env.NO_COLOR ?? '') === '') : (line: string): string => line;
  const destination = new LogDestination(stream, onFailure, { noteOfLoss: (lines) => format(noteOfLoss(lines)) });
  const levels = new LogLevels(options.level, options.levels);
  const root = pino(
    {
      level: 'trace',
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level },
      // Errors are plain objects by now; pino's own serializer would lose their type.
      serializers: { err: (error: unknown) => error },
    },
    { write: (line) => destination.write(format(line)) },
  );
  return {
    logger: new RedactingLogger(root, levels),
    setLevels: (level, byModule) => levels.set(level, byModule),
    reopen: () => files?.reopen(),
    get droppedLines() {
      return destination.droppedLines;
    },
    close: () => destination.close({ end: !toConsole }),
  };
}

/** Beside the logger, which would put it at the end of what waits. */
function noteOfLoss(lines: number): string {
  const msg = `${counted(lines, 'line')} of the log ${lines === 1 ? 'is' : 'are'} missing here: they could not be written`;
  const entry = { level: 'warn', time: new Date().toISOString(), pid: process.pid, lostLines: lines, msg };
  return `${JSON.stringify(entry)}\n`;
}

function level(label: string): object {
  return { level: label };
}

function prettyPrinter(colorize: boolean): (line: string) => string {
  const format = pinoPretty.prettyFactory({ colorize, translateTime: 'HH:MM:ss.l', ignore: 'pid', singleLine: true });
  return (line) => format(printableFields(line));
}

/** A log that fails can't say so in the log; and one line is enough. */
function complainOnce(name: string): (error: Error) => void {
  let hasComplained = false;
  return (error) => {
    if (hasComplained) return;
    hasComplained = true;
    process.stderr.write(`${name}: the log can't be written: ${error.message}\n`);
  };
}
