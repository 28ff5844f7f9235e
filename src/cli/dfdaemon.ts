import { parseDfdaemonCommand } from './dfdaemon-options.js';
import { EXIT_CODES } from './exit-codes.js';
import { print, surviveUnwritable } from './print.js';
import { reportError } from './report-error.js';
import { readVersion } from './version.js';

/** dfdaemon: flags → one of its commands, which loads only what it needs. Resolves with the exit code. */
async function main(): Promise<number> {
  const version = readVersion();
  const parsed = parseDfdaemonCommand(process.argv.slice(2), process.env, version);
  if (parsed.kind === 'show') {
    await print(parsed.text);
    return EXIT_CODES.ok;
  }
  const { options: command } = parsed;
  if (command.name === 'run') {
    const { runDaemon } = await import('./run-daemon.js');
    return runDaemon(command.overrides, version);
  }
  if (command.name === 'doctor') {
    const { doctor } = await import('./doctor/doctor.js');
    return doctor(command, version);
  }
  const { askDaemon } = await import('./ask-daemon.js');
  await print(await askDaemon(command, process.stdout.columns));
  return EXIT_CODES.ok;
}

for (const stream of [process.stdout, process.stderr]) surviveUnwritable(stream);
// Everything was drained and closed by now; a connection that lingers somewhere must not keep the process.
process.exit(await main().catch((error: unknown) => reportError('dfdaemon', error)));
