import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { dirname } from 'node:path/posix';
import { readDocument, ROOT, sourceFiles } from './support.js';

/** What each room may import: the direction that docs/ARCHITECTURE.md promises. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: ['core'],
  grpc: ['core', 'generated'],
  upload: ['core', 'native'],
  scheduler: ['core', 'grpc', 'generated'],
  'scheduler-client': ['core', 'grpc', 'config', 'generated'],
  peer: ['core', 'grpc', 'generated', 'upload', 'scheduler', 'scheduler-client', 'native'],
  cli: ['core', 'grpc', 'generated', 'config', 'peer', 'scheduler-client', 'upload', 'native'],
  docs: ['core', 'grpc', 'config', 'upload', 'scheduler', 'scheduler-client', 'peer', 'cli', 'native'],
};

const IMPORT = /^(?:import|export)\b[^;]*? from '(\.[^']+)'/gm;

describe('docs/ARCHITECTURE.md', () => {
  it('shows every folder of the house', async () => {
    const text = await readDocument('ARCHITECTURE.md');
    for (const room of readdirSync(join(ROOT, 'src')).filter((name) => name !== 'generated')) {
      assert.ok(statSync(join(ROOT, 'src', room)).isDirectory(), `src/${room} is no folder`);
      assert.ok(text.includes(`  ${room}/ `), `src/${room} is missing`);
    }
  });

  it('is right that imports point one way', async () => {
    for (const file of await sourceFiles('src')) {
      const room = file.split('/')[1] ?? '';
      for (const [, target = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT)) {
        const parts = normalize(join(dirname(file), target)).split('/');
        const imported = (parts[0] === 'src' ? parts[1] : parts[0]) ?? '';
        const allowed = imported === room || MAY_IMPORT[room]?.includes(imported) === true;
        assert.ok(allowed, `${file} imports ${imported}`);
      }
    }
  });

  it('is right that native stands alone', async () => {
    for (const file of await sourceFiles('native'))
      for (const [, target = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT))
        assert.ok(normalize(join(dirname(file), target)).startsWith('native/'), `${file} imports ${target}`);
  });
});
