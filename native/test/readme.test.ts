import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as native from '../index.js';
import { requireNative } from './support.js';

describe('the README', () => {
  it("'s example runs as written", async function () {
    requireNative(this);
    const readme = readFileSync(findReadme(), 'utf8');
    const example = /```js\n(.*?)```/s.exec(readme)?.[1];
    assert.ok(example);
    const directory = mkdtempSync(join(tmpdir(), 'native-test-'));
    const script = join(directory, 'example.mjs');
    writeFileSync(script, example.replace('dfpeer/native', new URL('../index.js', import.meta.url).href));
    const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 20_000 });
    assert.deepEqual(stdout.trim().split('\n').toSorted(), ['complete 4', 'here it comes: { on']);
    rmSync(directory, { recursive: true });
  });

  it('names every function and class that the module exports', () => {
    const readme = readFileSync(findReadme(), 'utf8');
    const exported = Object.entries(native).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []));
    assert.deepEqual(
      exported.filter((name) => !new RegExp(`\\b${name}\\b`).test(readme)),
      [],
    );
  });
});

/** Beside the sources, whether this runs from them or from the build's output. */
function findReadme(): string {
  const candidates = ['../README.md', '../../../native/README.md'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = candidates.find((path) => existsSync(path));
  assert.ok(found, 'native/README.md is missing');
  return found;
}
