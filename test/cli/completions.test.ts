import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderCompletions } from '../../src/cli/completions.js';
import { createDfdaemonProgram } from '../../src/cli/dfdaemon-options.js';
import { createDfgetProgram } from '../../src/cli/dfget-program.js';
import { SHELLS, type Shell } from '../../src/cli/shells.js';
import { hasProgram, skipLoudly } from '../support/skip.js';

const PROGRAMS = [createDfgetProgram('1'), createDfdaemonProgram('1')];

/** What each shell offers for a line that ends at the cursor, one word a line. */
const OFFERS: Readonly<Record<Shell, (file: string, words: readonly string[]) => string[]>> = {
  bash: (file, words) => [
    'bash',
    '--norc',
    '-c',
    `source ${file}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _${words[0] ?? ''}; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  // Needs its line editor, and that a terminal; the words in quotes are not what the terminal echoes.
  zsh: (file, words) => [
    'zsh',
    '-f',
    '-c',
    `zmodload zsh/zpty; zpty z zsh -f -i
zpty -w z 'autoload -Uz compinit; compinit -D -u; source ${file}; stty cols 200; PS1="REA""DY "'
zpty -r z line '*READY*'; zpty -w -n z '${words.join(' ')}'$'\\t\\t\\x15'; zpty -w z 'print DO""NE'
zpty -r z answer '*DONE*'; print -r -- $answer`,
  ],
  fish: (file, words) => ['fish', '--no-config', '-c', `source ${file}; complete -C '${words.join(' ')}'`],
};

describe('completions', function () {
  this.timeout(20_000);
  let directory = '';

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'dfpeer-completions-'));
    for (const program of PROGRAMS)
      for (const shell of SHELLS)
        writeFileSync(join(directory, `${program.name()}.${shell}`), renderCompletions(program, shell));
  });

  after(() => rmSync(directory, { recursive: true, force: true }));

  for (const shell of SHELLS) {
    const offers = (context: Mocha.Context, ...words: string[]): string => {
      if (!hasProgram(shell)) skipLoudly(context, `${shell} is not installed`);
      const [command = '', ...args] = OFFERS[shell](join(directory, `${words[0] ?? ''}.${shell}`), words);
      const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8', timeout: 15_000 });
      assert.equal(status, 0, stderr);
      assert.equal(stderr, '');
      return stdout;
    };

    it(`of ${shell} complete a flag`, function () {
      const text = offers(this, 'dfget', '--exp');
      assert.match(text, /--explain/);
      assert.doesNotMatch(text, /--range/);
    });

    it(`of ${shell} complete the values of a flag`, function () {
      assert.match(offers(this, 'dfget', '--log-level', 'inf'), /info/);
    });

    it(`of ${shell} complete the commands of dfdaemon`, function () {
      const [command] = PROGRAMS[1]?.commands ?? [];
      assert.ok(command);
      assert.match(offers(this, 'dfdaemon', command.name().slice(0, -1)), new RegExp(command.name()));
    });

    it(`of ${shell} complete the flags of a command, its own and those of dfdaemon, also behind one of dfdaemon's`, function () {
      assert.match(offers(this, 'dfdaemon', 'tasks', '--re'), /--remove/);
      assert.match(offers(this, 'dfdaemon', 'tasks', '--dyn'), /--dynconfig/);
      assert.match(offers(this, 'dfdaemon', '-c', 'file', 'tasks', '--re'), /--remove/);
    });

    it(`of ${shell} complete a file's name, with blanks too, in a word of its own or behind =`, function () {
      mkdirSync(join(directory, 'a place', 'within'), { recursive: true });
      const [start, found] = [join(directory, 'a'), shell === 'bash' ? /\/a place$/m : /\/a\\? place/];
      assert.match(offers(this, 'dfget', '-O', start), found);
      const behind = shell === 'bash' ? ['--output', '=', start] : [`--output=${start}`];
      assert.match(offers(this, 'dfget', ...behind), found);
    });
  }

  it('have every flag that --help shows, and none that it hides', () => {
    for (const program of PROGRAMS)
      for (const shell of SHELLS) {
        const text = renderCompletions(program, shell);
        for (const { long, hidden } of program.options) {
          const name = (long ?? '').replace(/^--/, '');
          const found = new RegExp(`(?:--|-l )${name}(?![\\w-])`).test(text);
          assert.equal(found, !hidden, `${program.name()} ${shell} ${name}`);
        }
      }
  });
});
