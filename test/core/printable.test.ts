import assert from 'node:assert/strict';
import fc from 'fast-check';
import { printable, printableFields, printableJson, printableLines, quotable } from '../../src/core/printable.js';
import { hostileText, steersTerminal } from '../support/hostile-text.js';

describe('text for a terminal', () => {
  it('keeps every letter, number, sign and mark, and shows where something else was', () => {
    assert.equal(printable('Größe 10 € 文字 (a/b) é'), 'Größe 10 € 文字 (a/b) é');
    assert.equal(printable('a\u001b[2Jb\nc\u0007\u009b\u202e\ud800'), 'a?[2Jb?c????');
  });

  it('of several lines is indented after the first, so that none looks like a message of its own', () => {
    assert.equal(printableLines('one\ndfget: forged\r'), 'one\n  dfget: forged?');
  });

  it('is one short line where it is quoted', () => {
    assert.equal(quotable('  no\u001b[1m\r\n such   piece '), 'no [1m such piece');
    assert.equal(quotable('x'.repeat(1000)).length, 200);
  });

  it('never steers, whatever it was', () =>
    fc.assert(
      fc.property(hostileText, (text) => {
        for (const one of [printable(text), quotable(text), printableJson({ [text]: [text] })])
          assert.ok(!steersTerminal(one) && !one.includes('\n'), JSON.stringify(one));
        assert.ok(!steersTerminal(printableLines(text)));
      }),
    ));

  it('as JSON means what it meant', () =>
    fc.assert(
      fc.property(hostileText, (text) => {
        assert.deepEqual(JSON.parse(printableJson({ text }, 2)), { text });
      }),
    ));

  it('is what remains of fields that came as JSON, names too, with lines in stacks only', () => {
    const fields = { 'a\u009b': ['b\n'], err: { message: 'c\n', stack: 'd\n at e' }, count: 1, none: null };
    assert.deepEqual(printableFields(JSON.stringify(fields)), {
      'a?': ['b?'],
      err: { message: 'c?', stack: 'd\n   at e' },
      count: 1,
      none: null,
    });
  });
});
