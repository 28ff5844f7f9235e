/** An error goes by the name `err`: that is what knows how to show one. */
export interface LogFields {
  readonly error?: never;
  readonly [name: string]: unknown;
}

/** What the core needs of a logger; pino's satisfies it. Fields first, then a message in plain words. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: object): Logger;
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
