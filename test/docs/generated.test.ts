import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDfdaemonProgram } from '../../src/cli/dfdaemon-options.js';
import { parseDynconfig } from '../../src/config/dynconfig.js';
import { listKeys } from '../../src/config/key-spec.js';
import { parseDaemonConfig } from '../../src/config/load.js';
import { DAEMON_SCHEMA } from '../../src/config/schema.js';
import { GENERATED_PARTS, generateDocs } from '../../src/docs/generate.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { DOCS, examples, readDocument } from './support.js';

const FILES = [...new Set(GENERATED_PARTS.map(({ file }) => file))];

describe('the generated documents', () => {
  const directory = useTemporaryDirectory();

  beforeEach(async () => {
    for (const file of FILES) await copyFile(join(DOCS, file), join(directory(), file));
  });

  it('are what the code says', async () => {
    assert.deepEqual(await generateDocs(directory()), [], 'run `npm run docs`');
  });

  it('are renewed when they differ', async () => {
    const limits = await readDocument('LIMITS.md');
    const path = join(directory(), 'LIMITS.md');
    await writeFile(path, limits.replace('| `400` |', '| `401` |'));
    assert.deepEqual(await generateDocs(directory()), ['LIMITS.md']);
    assert.equal(await readFile(path, 'utf8'), limits);
  });

  it('are refused without their markers', async () => {
    await writeFile(join(directory(), 'ERRORS.md'), '# Errors\n');
    await assert.rejects(generateDocs(directory()), /no part between/);
  });
});

describe('docs/CONFIGURATION.md', () => {
  it('has a row for every key', async () => {
    const text = await readDocument('CONFIGURATION.md');
    for (const { path } of listKeys(DAEMON_SCHEMA)) assert.ok(text.includes(`| \`${path}\` |`), path);
  });

  it('names every flag of dfdaemon that is not hidden', async () => {
    const text = await readDocument('CONFIGURATION.md');
    const flags = createDfdaemonProgram('0').options.filter(({ hidden }) => !hidden);
    for (const { long } of flags) assert.match(text, new RegExp(`^\\|.*\`${long ?? '?'}[ \`]`, 'm'), long ?? '?');
  });

  it('shows examples that are valid', async () => {
    const yaml = examples(await readDocument('CONFIGURATION.md'), 'yaml');
    assert.equal(yaml.length, 3);
    for (const text of yaml.slice(0, 2)) assert.ok(parseDynconfig(text, 'example').schedulers.length > 0);
    assert.deepEqual(parseDaemonConfig(yaml[2] ?? '', 'example').ineffective, { unknown: [], ignored: [] });
  });
});
