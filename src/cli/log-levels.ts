import { LOG_LEVELS, type LogLevel } from '../config/key-kinds.js';

/** Which level each module logs at. Shared by all loggers, so that a change reaches them at once. */
export class LogLevels {
  #default: LogLevel;
  #byModule: Readonly<Record<string, LogLevel>>;
  /** Changes whenever the levels do. */
  revision = 0;

  constructor(level: LogLevel, byModule: Readonly<Record<string, LogLevel>> = {}) {
    this.#default = level;
    this.#byModule = byModule;
  }

  set(level: LogLevel, byModule: Readonly<Record<string, LogLevel>>): void {
    this.#default = level;
    this.#byModule = byModule;
    this.revision++;
  }

  /** The least severe level that a module logs; `upload` also rules `upload.http`, unless that has its own. */
  severityOf(module: string | undefined): number {
    for (let name = module ?? ''; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
      const level = Object.hasOwn(this.#byModule, name) ? this.#byModule[name] : undefined;
      if (level !== undefined) return LOG_LEVELS.indexOf(level);
    }
    return LOG_LEVELS.indexOf(this.#default);
  }
}
