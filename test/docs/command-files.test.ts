import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDfdaemonProgram } from '../../src/cli/dfdaemon-options.js';
import { DFGET_HELP_END } from '../../src/cli/dfget-help.js';
import { createDfgetProgram } from '../../src/cli/dfget-program.js';
import { EXIT_CODES } from '../../src/cli/exit-codes.js';
import { generateCommandFiles, renderCommandFiles } from '../../src/docs/command-files.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { hasProgram, skipLoudly } from '../support/skip.js';
import { ROOT } from './support.js';

describe('manual pages and completions', () => {
  const directory = useTemporaryDirectory();

  it('are what the tables of flags say', async () => {
    for (const [name, content] of renderCommandFiles())
      assert.equal(await readFile(join(ROOT, name), 'utf8'), content, `${name}: run \`npm run docs\``);
  });

  it('are made where they are missing, and left alone where they are right', async () => {
    assert.deepEqual(await generateCommandFiles(directory()), [...renderCommandFiles().keys()]);
    assert.deepEqual(await generateCommandFiles(directory()), []);
  });

  it('pass the linter of manual pages', function () {
    if (!hasProgram('mandoc')) skipLoudly(this, 'mandoc is not installed');
    for (const page of ['man/dfget.1', 'man/dfdaemon.8']) {
      const { stdout, stderr, status } = spawnSync('mandoc', ['-Tlint', '-Wwarning', join(ROOT, page)], {
        encoding: 'utf8',
      });
      assert.equal(status, 0, stdout + stderr);
    }
  });

  it('describe every flag, and every exit status of dfget', () => {
    const files = renderCommandFiles();
    for (const [page, program] of [
      ['man/dfget.1', createDfgetProgram('1')],
      ['man/dfdaemon.8', createDfdaemonProgram('1')],
    ] as const)
      for (const { long, hidden } of program.options)
        assert.equal(files.get(page)?.includes((long ?? '').replaceAll('-', '\\-')), !hidden, `${page} ${long ?? ''}`);
    for (const code of Object.values(EXIT_CODES))
      assert.match(files.get('man/dfget.1') ?? '', new RegExp(`^\\.B .*\\b${code}\\b`, 'm'));
  });

  it('go with a help of dfget that names every exit status', () => {
    const [, statuses = ''] = DFGET_HELP_END.split('Exit status: ');
    const named = [...statuses.matchAll(/\b\d+\b/g)].map(([code]) => Number(code));
    assert.deepEqual(named, Object.values(EXIT_CODES));
  });
});
