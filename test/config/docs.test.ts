import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createDfdaemonProgram } from '../../src/cli/dfdaemon-options.js';
import { generateDocs } from '../../src/config/generate-docs.js';
import { listKeys } from '../../src/config/key-spec.js';
import { parseDynconfig } from '../../src/config/dynconfig.js';
import { parseDaemonConfig } from '../../src/config/load.js';
import { DAEMON_SCHEMA } from '../../src/config/schema.js';
import { withDirectory } from './support.js';

const DOCS = fileURLToPath(new URL('../../../docs/', import.meta.url));

describe('docs/CONFIGURATION.md and docs/LIMITS.md', () => {
  it('are what the schema generates', () =>
    withDirectory(async (directory) => {
      for (const file of ['CONFIGURATION.md', 'LIMITS.md']) await copyFile(join(DOCS, file), join(directory, file));
      assert.deepEqual(await generateDocs(directory), [], 'run `npm run docs`');
    }));

  it('are renewed when they differ', () =>
    withDirectory(async (directory) => {
      const limits = await readFile(join(DOCS, 'LIMITS.md'), 'utf8');
      await copyFile(join(DOCS, 'CONFIGURATION.md'), join(directory, 'CONFIGURATION.md'));
      await writeFile(join(directory, 'LIMITS.md'), limits.replace('| `400` |', '| `401` |'));
      assert.deepEqual(await generateDocs(directory), ['LIMITS.md']);
      assert.equal(await readFile(join(directory, 'LIMITS.md'), 'utf8'), limits);
    }));

  it('have a row for every key', async () => {
    const text = await readFile(join(DOCS, 'CONFIGURATION.md'), 'utf8');
    for (const { path } of listKeys(DAEMON_SCHEMA)) assert.ok(text.includes(`| \`${path}\` |`), path);
  });

  it('name every flag of dfdaemon that is not hidden', async () => {
    const text = await readFile(join(DOCS, 'CONFIGURATION.md'), 'utf8');
    const flags = createDfdaemonProgram('0').options.filter(({ hidden }) => !hidden);
    for (const { long } of flags) assert.match(text, new RegExp(`^\\|.*\`${long ?? '?'}[ \`]`, 'm'), long ?? '?');
  });

  it('show examples that are valid', async () => {
    const text = await readFile(join(DOCS, 'CONFIGURATION.md'), 'utf8');
    const examples = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml = '']) => yaml);
    assert.equal(examples.length, 3);
    for (const yaml of examples.slice(0, 2)) assert.ok(parseDynconfig(yaml, 'example').length > 0);
    assert.deepEqual(parseDaemonConfig(examples[2] ?? '', 'example').ineffective, { unknown: [], ignored: [] });
  });
});
