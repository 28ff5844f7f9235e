import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const DOCS = join(ROOT, 'docs');

export function readDocument(name: string): Promise<string> {
  return readFile(join(DOCS, name), 'utf8');
}

/** Cells of the rows of all tables whose first cell is in backticks. */
export function tableRows(document: string): string[][] {
  return [...document.matchAll(/^\| (`[^`]+`.*) \|$/gm)].map(([, cells = '']) =>
    cells.split(/(?<!\\)\|/).map((cell) => cell.trim()),
  );
}

/** Content of the fenced blocks of a language. */
export function examples(document: string, language: string): string[] {
  return [...document.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text = '']) => text);
}

/** What can't be the reader's becomes ours, in one pass: a port or digest of ours may contain what stands for another. */
export function replaceEach(text: string, ours: Readonly<Record<string, string>>): string {
  const theirs = Object.keys(ours).map((each) => each.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&'));
  return text.replaceAll(new RegExp(theirs.join('|'), 'g'), (found) => ours[found] ?? found);
}

/** Paths of the TypeScript sources below a folder of the repository, relative to it; tests and generated code left out. */
export async function sourceFiles(folder: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, folder), { recursive: true });
  return entries
    .filter((entry) => entry.endsWith('.ts') && !/^(generated|test|bench)\//.test(entry))
    .map((entry) => join(folder, entry));
}
