import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { renderCompletions } from '../cli/completions.js';
import { createDfdaemonProgram } from '../cli/dfdaemon-options.js';
import { createDfgetProgram } from '../cli/dfget-program.js';
import { DFDAEMON_MANUAL } from './dfdaemon-manual.js';
import { DFGET_MANUAL } from './dfget-manual.js';
import { renderManual, type ManualText } from './manual.js';

const PROGRAMS: readonly { create: (version: string) => Command; manual: ManualText }[] = [
  { create: createDfgetProgram, manual: DFGET_MANUAL },
  { create: createDfdaemonProgram, manual: DFDAEMON_MANUAL },
];

/** Manual pages and completions, by their path in the repository: nothing in them is written by hand. */
export function renderCommandFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const { create, manual } of PROGRAMS) {
    const program = create('');
    const name = program.name();
    files.set(`man/${name}.${manual.section}`, renderManual(program, manual));
    // Named as each shell looks for them.
    files.set(`completions/bash/${name}`, renderCompletions(program, 'bash'));
    files.set(`completions/zsh/_${name}`, renderCompletions(program, 'zsh'));
    files.set(`completions/fish/${name}.fish`, renderCompletions(program, 'fish'));
  }
  return files;
}

/** Renews them below the repository's root; the names of those that changed. */
export async function generateCommandFiles(root: string): Promise<string[]> {
  const changed: string[] = [];
  for (const [name, content] of renderCommandFiles()) {
    const path = join(root, name);
    if ((await readFile(path, 'utf8').catch(() => undefined)) === content) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    changed.push(name);
  }
  return changed;
}
