import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateCommandFiles } from './command-files.js';
import { renderConfigurableLimits, renderConfiguration } from './configuration.js';
import { renderErrors } from './errors.js';
import { renderFixedLimits } from './limits.js';
import { replacePart } from './markdown.js';
import { renderMetrics } from './metrics.js';

/** Which part of which document is generated, and from what. */
export const GENERATED_PARTS = [
  { file: 'CONFIGURATION.md', part: 'configuration keys', render: renderConfiguration },
  { file: 'LIMITS.md', part: 'configurable limits', render: renderConfigurableLimits },
  { file: 'LIMITS.md', part: 'fixed limits', render: renderFixedLimits },
  { file: 'METRICS.md', part: 'metrics', render: renderMetrics },
  { file: 'ERRORS.md', part: 'error codes', render: renderErrors },
] as const;

/** Renews the generated parts of the documents in a directory; the names of those that changed. */
export async function generateDocs(directory: string): Promise<string[]> {
  const changed = new Set<string>();
  for (const { file, part, render } of GENERATED_PARTS) {
    const path = join(directory, file);
    const old = await readFile(path, 'utf8');
    const renewed = replacePart(old, part, render());
    if (renewed === old) continue;
    await writeFile(path, renewed);
    changed.add(file);
  }
  return [...changed];
}

if (import.meta.filename === process.argv[1]) {
  const docs = process.argv[2] ?? 'docs';
  const changed = [...(await generateDocs(docs)), ...(await generateCommandFiles(join(docs, '..')))];
  process.stdout.write(changed.length === 0 ? 'documents are up to date\n' : `renewed ${changed.join(', ')}\n`);
}
