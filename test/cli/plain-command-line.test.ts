import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseCommandLine } from '../../src/cli/commander-command-line.js';
import { DFGET_FLAGS } from '../../src/cli/dfget-flags.js';
import { createDfgetProgram } from '../../src/cli/dfget-program.js';
import { readPlainCommandLine } from '../../src/cli/plain-command-line.js';

const FLAGS = DFGET_FLAGS.flatMap(({ flags }) => flags.replace(/ <.*/, '').split(', '));
const word = fc.oneof(
  fc.constantFrom(...FLAGS, '--', '-', '-nO', '--tag=a', '--no-progress=x', '--recursive', '-h', '-V'),
  fc.constantFrom('http://a/b', 'value', '-x', '7', ''),
);

describe('a command line read without commander', () => {
  it('is taken for what commander takes it for, or left to it', () =>
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
        const plain = readPlainCommandLine(argv, DFGET_FLAGS);
        if (plain === undefined) return;
        const program = createDfgetProgram('1');
        assert.equal(parseCommandLine(program, argv), undefined);
        // What is on unless it is switched off is only told by commander.
        const given = { hardLink: true, progress: true, ...plain.values };
        assert.deepEqual(given, program.opts());
        assert.deepEqual(plain.positionals, program.args);
      }),
      { numRuns: 2000 },
    ));

  it('holds the flags of most downloads', () => {
    const argv = ['-e', 's.sock', 'http://a/b', '-O', '-', '--overwrite', '-H', 'a: b', '-H', 'c: d', '--no-progress'];
    assert.deepEqual(readPlainCommandLine(argv, DFGET_FLAGS), {
      values: { endpoint: 's.sock', output: '-', overwrite: true, header: ['a: b', 'c: d'], progress: false },
      positionals: ['http://a/b'],
    });
  });

  it('is left to commander where there is something to say', () => {
    for (const argv of [['--help'], ['-V'], ['--recursive'], ['--tag'], ['a', 'b'], ['--overwrite=yes']])
      assert.equal(readPlainCommandLine(argv, DFGET_FLAGS), undefined, argv.join(' '));
  });
});
