import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';
import { redactFields, redactText } from '../../core/redact.js';

/** Warnings and errors kept for the status page; the oldest go first. */
export const MAX_TAIL_ENTRIES = 200;
/** Longer texts of one entry are cut. */
export const MAX_TAIL_CHARACTERS = 500;

export interface TailEntry {
  /** Grows by one with each entry. */
  number: number;
  /** Milliseconds since the Unix epoch. */
  atMs: number;
  level: 'warn' | 'error';
  module: string;
  message: string;
  taskId: string | undefined;
}

/** The last warnings and errors, without secrets, beside the log that they also go to. */
export class LogTail {
  readonly #clock: Clock;
  readonly #entries: TailEntry[] = [];
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Logs to `inner` and remembers. Children do likewise. */
  wrap(inner: Logger, context: { module: string; taskId: string | undefined } = NO_CONTEXT): Logger {
    return {
      debug: (fields, message) => inner.debug(fields, message),
      info: (fields, message) => inner.info(fields, message),
      warn: (fields, message) => {
        this.#add('warn', context, fields, message);
        inner.warn(fields, message);
      },
      error: (fields, message) => {
        this.#add('error', context, fields, message);
        inner.error(fields, message);
      },
      child: (fields) => {
        const module = textOf(fields, 'module') ?? context.module;
        return this.wrap(inner.child(fields), { module, taskId: textOf(fields, 'taskId') ?? context.taskId });
      },
    };
  }

  /** Newest first. */
  entries(limit = MAX_TAIL_ENTRIES): TailEntry[] {
    return this.#entries.slice(-limit).reverse();
  }

  #add(level: TailEntry['level'], context: typeof NO_CONTEXT, fields: object, message: string): void {
    const text = cut(redactText(message) + causeOf(fields));
    const taskId = textOf(fields, 'taskId') ?? context.taskId;
    const atMs = this.#clock.now();
    this.#entries.push({ number: ++this.#count, atMs, level, module: context.module, message: text, taskId });
    if (this.#entries.length > MAX_TAIL_ENTRIES) this.#entries.shift();
  }
}

const NO_CONTEXT: { module: string; taskId: string | undefined } = { module: 'daemon', taskId: undefined };

function textOf(fields: object, name: string): string | undefined {
  const value: unknown = Object.entries(fields).find(([key]) => key === name)?.[1];
  return typeof value === 'string' ? value : undefined;
}

/** What went wrong, where the message alone does not say. */
function causeOf(fields: object): string {
  const error: unknown = 'err' in fields ? fields.err : undefined;
  const shown = redactFields(error);
  if (typeof shown !== 'object' || shown === null || !('message' in shown)) return '';
  return `: ${String(shown.message)}`;
}

function cut(text: string): string {
  return text.length <= MAX_TAIL_CHARACTERS ? text : `${text.slice(0, MAX_TAIL_CHARACTERS - 1)}…`;
}
