import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { dirname } from 'node:path/posix';
import { readDocument, ROOT, sourceFiles } from './support.js';

/** Folders that are made, not kept. */
const MADE = new Set(['node_modules', 'dist', 'coverage', 'test-results']);
/** Their folders have lines of their own. */
const SHOWN_INSIDE = ['', 'src/', 'src/peer/'];

const IMPORT = /^(?:import|export)\b[^;]*? from '(\.[^']+)'/gm;

/** Paths of the folders that the source layout shows. */
function shownFolders(document: string): string[] {
  const block = /## Source layout\n\n```\n(.*?)```/s.exec(document)?.[1] ?? '';
  const shown: string[] = [];
  const above: string[] = [];
  for (const [, indent = '', name = ''] of block.matchAll(/^( *)([\w-]+)\/ */gm)) {
    above.splice(indent.length / 2, Infinity, name);
    shown.push(`${above.join('/')}/`);
  }
  return shown;
}

function foldersIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !MADE.has(entry.name) && !entry.name.startsWith('.'))
    .map(({ name }) => `${folder}${name}/`);
}

/** What the table of layers says that each folder of src imports. */
function promisedImports(document: string): Map<string, Set<string>> {
  const promised = new Map<string, Set<string>>();
  for (const [, room = '', imports = ''] of document.matchAll(/^\| `([\w-]+)` \| ((?:nothing|`).*) \|$/gm))
    promised.set(room, new Set([...imports.matchAll(/`([\w-]+)`/g)].map(([, name = '']) => name)));
  return promised;
}

/** What it does import. */
async function actualImports(): Promise<Map<string, Set<string>>> {
  const actual = new Map<string, Set<string>>([['generated', new Set()]]);
  for (const file of await sourceFiles('src')) {
    const room = file.split('/')[1] ?? '';
    const imports = actual.get(room) ?? new Set();
    actual.set(room, imports);
    for (const [, target = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT)) {
      const [top = '', inner = ''] = normalize(join(dirname(file), target)).split('/');
      const imported = top === 'src' ? inner : top;
      if (imported !== room) imports.add(imported);
    }
  }
  return actual;
}

const sorted = (imports: Map<string, Set<string>>): Record<string, string[]> =>
  Object.fromEntries([...imports].sort().map(([room, names]) => [room, [...names].sort()]));

describe('docs/ARCHITECTURE.md', () => {
  it('shows every folder of the source layout, and no other', async () => {
    const shown = shownFolders(await readDocument('ARCHITECTURE.md'));
    assert.deepEqual(shown.toSorted(), SHOWN_INSIDE.flatMap(foldersIn).sort());
  });

  it('is right about what each folder imports', async () => {
    const promised = promisedImports(await readDocument('ARCHITECTURE.md'));
    assert.deepEqual(sorted(promised), sorted(await actualImports()));
  });

  it('is right that imports point one way', async () => {
    const promised = promisedImports(await readDocument('ARCHITECTURE.md'));
    for (const room of promised.keys()) {
      const reached = new Set(promised.get(room));
      for (const next of reached) for (const further of promised.get(next) ?? []) reached.add(further);
      assert.ok(!reached.has(room), `${room} imports itself by a detour`);
    }
  });

  it('is right that native stands alone', async () => {
    for (const file of await sourceFiles('native'))
      for (const [, target = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT))
        assert.ok(normalize(join(dirname(file), target)).startsWith('native/'), `${file} imports ${target}`);
  });
});
