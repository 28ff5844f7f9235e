import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readDocument, ROOT, sourceFiles, tableRows } from './support.js';

interface Manifest {
  license?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

async function readManifest(...path: string[]): Promise<Manifest> {
  return JSON.parse(await readFile(join(ROOT, ...path, 'package.json'), 'utf8')) as Manifest;
}

describe('docs/DEPENDENCIES.md', () => {
  it('lists what package.json names, in its order, with the licence of each', async () => {
    const { dependencies = {}, devDependencies = {} } = await readManifest();
    const rows = tableRows(await readDocument('DEPENDENCIES.md'));
    const names = [...Object.keys(dependencies), ...Object.keys(devDependencies)];
    assert.deepEqual(
      rows.map(([name]) => name),
      names.map((name) => `\`${name}\``),
    );
    for (const [index, name] of names.entries()) {
      const { license } = await readManifest('node_modules', name);
      const [, documented, purpose, reason] = rows[index] ?? [];
      assert.equal(documented, license, name);
      assert.ok(purpose !== '' && reason !== '', name);
    }
  });

  it('is right that each is needed at run time', async () => {
    const texts = await Promise.all(
      [...(await sourceFiles('src')), ...(await sourceFiles('native'))].map((file) =>
        readFile(join(ROOT, file), 'utf8'),
      ),
    );
    const source = texts.join('\n');
    for (const name of Object.keys((await readManifest()).dependencies ?? {}))
      assert.match(source, new RegExp(`['"]${name}['"/]`), `nothing imports ${name}`);
  });
});
