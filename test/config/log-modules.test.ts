import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isLogModule, LOG_MODULES } from '../../src/config/log-modules.js';
import { readDocument } from '../docs/support.js';

// dist/test/config → the project's sources
const SOURCES = fileURLToPath(new URL('../../../src/', import.meta.url));

describe('the modules that log.levels can name', () => {
  it('are those that loggers are made for', async () => {
    const made = new Set<string>();
    for (const name of await readdir(SOURCES, { recursive: true }))
      if (name.endsWith('.ts'))
        for (const [, module = ''] of (await readFile(join(SOURCES, name), 'utf8')).matchAll(
          /child\(\{ module: '([^']+)' \}\)/g,
        ))
          made.add(module);
    assert.deepEqual([...made].sort(), [...LOG_MODULES].sort());
  });

  it('are all in OPERATIONS', async () => {
    const [logs = ''] = /## Logs[^]*?\n## /.exec(await readDocument('OPERATIONS.md')) ?? [];
    for (const name of LOG_MODULES) assert.ok(logs.includes(`\`${name}\``), name);
  });

  it('include their parts', () => {
    assert.ok(isLogModule('upload.http'));
    assert.ok(!isLogModule('uplaod'));
  });
});
