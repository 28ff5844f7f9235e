import type { FoundDaemon } from './daemon-connection.js';
import type { DfgetOptions } from './dfget-options.js';

/** dfget keeps no log of its own; whoever asks for one is told who does, and what became of the flag. Undefined: each had its effect. */
export function logNote(
  { console, logLevel }: Pick<DfgetOptions, 'console' | 'logLevel'>,
  { logDir, isNew }: Pick<FoundDaemon, 'logDir' | 'isNew'>,
): string | undefined {
  const without = [
    ...(console ? ['--console shows none of it'] : []),
    ...(logLevel !== undefined && !isNew
      ? ['--log-level is for one that dfget starts, and this one runs already']
      : []),
  ];
  if (without.length === 0) return undefined;
  const where = logDir === undefined ? 'where its --log-dir says' : `${isNew ? '' : 'usually '}in ${logDir}`;
  return `the log is the daemon's, ${where}; ${without.join('; ')}`;
}
