import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXIT_CODES, exitCodeOf } from '../../src/cli/exit-codes.js';
import { DfpeerError, ERROR_KINDS, type ErrorCode } from '../../src/core/errors.js';
import { readDocument, ROOT, sourceFiles, tableRows } from './support.js';

describe('docs/ERRORS.md', () => {
  it('lists every code with its kind and exit status, and no other', async () => {
    const rows = tableRows(await readDocument('ERRORS.md'));
    const codes = Object.keys(ERROR_KINDS) as ErrorCode[];
    assert.deepEqual(
      rows.map(([code, kind, exit]) => [code, kind, exit]),
      codes.map((code) => [`\`${code}\``, ERROR_KINDS[code], String(exitCodeOf(new DfpeerError(code, '')))]),
    );
    for (const [code, , , means, remedy] of rows) assert.ok(means !== '' && remedy !== '', code);
  });

  it('lists every exit status of dfget', async () => {
    const text = await readDocument('ERRORS.md');
    for (const exit of Object.values(EXIT_CODES)) assert.match(text, new RegExp(`^\\| ${exit} \\|`, 'm'));
  });

  it('lists no code that nothing uses', async () => {
    const texts = await Promise.all((await sourceFiles('src')).map((file) => readFile(join(ROOT, file), 'utf8')));
    const source = texts.filter((text) => !text.includes('export const ERROR_KINDS')).join('\n');
    const unused = Object.keys(ERROR_KINDS).filter((code) => !source.includes(`'${code}'`));
    assert.deepEqual(unused, []);
  });
});
