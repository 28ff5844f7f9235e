import assert from 'node:assert/strict';
import { logNote } from '../../src/cli/log-note.js';

describe('the note on the log', () => {
  const none = { console: false, logLevel: undefined };

  it('is not needed where every flag had its effect', () => {
    assert.equal(logNote(none, { logDir: '/l', isNew: false }), undefined);
    assert.equal(logNote({ console: false, logLevel: 'debug' }, { logDir: '/l', isNew: true }), undefined);
  });

  it('says where the log is, and which flag changes nothing', () => {
    const level = '--log-level is for one that dfget starts, and this one runs already';
    assert.equal(
      logNote({ console: true, logLevel: 'debug' }, { logDir: '/l', isNew: true }),
      "the log is the daemon's, in /l; --console shows none of it",
    );
    assert.equal(
      logNote({ console: false, logLevel: 'debug' }, { logDir: '/l', isNew: false }),
      `the log is the daemon's, usually in /l; ${level}`,
    );
    assert.equal(
      logNote({ console: true, logLevel: 'debug' }, { logDir: undefined, isNew: false }),
      `the log is the daemon's, where its --log-dir says; --console shows none of it; ${level}`,
    );
  });
});
