import type { Logger as Pino } from 'pino';
import { LOG_LEVELS, type LogLevel } from '../config/key-kinds.js';
import type { Logger } from '../core/logger.js';
import { redactFields, redactText } from '../core/redact.js';
import type { LogLevels } from './log-levels.js';

const SEVERITIES = Object.fromEntries(LOG_LEVELS.map((level, index) => [level, index])) as Record<LogLevel, number>;

/** Pino behind our interface: levels by module, nothing secret in fields or messages. */
export class RedactingLogger implements Logger {
  readonly #pino: Pino;
  readonly #levels: LogLevels;
  readonly #module: string | undefined;
  #revision = -1;
  #severity = 0;

  constructor(pino: Pino, levels: LogLevels, module?: string) {
    this.#pino = pino;
    this.#levels = levels;
    this.#module = module;
  }

  debug(fields: object, message: string): void {
    this.#write('debug', fields, message);
  }

  info(fields: object, message: string): void {
    this.#write('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#write('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#write('error', fields, message);
  }

  /** A field `module` decides the level of the child and its children. */
  child(fields: object): Logger {
    const module = 'module' in fields && typeof fields.module === 'string' ? fields.module : this.#module;
    return new RedactingLogger(this.#pino.child(asObject(redactFields(fields))), this.#levels, module);
  }

  #write(level: Exclude<LogLevel, 'trace'>, fields: object, message: string): void {
    if (this.#revision !== this.#levels.revision) {
      this.#severity = this.#levels.severityOf(this.#module);
      this.#revision = this.#levels.revision;
    }
    if (SEVERITIES[level] < this.#severity) return;
    this.#pino[level](asObject(redactFields(fields)), redactText(message));
  }
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : { value };
}
