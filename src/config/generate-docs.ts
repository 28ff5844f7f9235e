import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CONFIGURATION_PART, LIMITS_PART, renderConfiguration, renderLimits, replacePart } from './docs.js';

const PARTS = [
  { file: 'CONFIGURATION.md', part: CONFIGURATION_PART, render: renderConfiguration },
  { file: 'LIMITS.md', part: LIMITS_PART, render: renderLimits },
];

/** Renews the generated parts of the documents in a directory; the names of those that changed. */
export async function generateDocs(directory: string): Promise<string[]> {
  const changed: string[] = [];
  for (const { file, part, render } of PARTS) {
    const path = join(directory, file);
    const old = await readFile(path, 'utf8');
    const renewed = replacePart(old, part, render());
    if (renewed === old) continue;
    await writeFile(path, renewed);
    changed.push(file);
  }
  return changed;
}

if (import.meta.filename === process.argv[1]) {
  const changed = await generateDocs(process.argv[2] ?? 'docs');
  process.stdout.write(changed.length === 0 ? 'documents are up to date\n' : `renewed ${changed.join(', ')}\n`);
}
