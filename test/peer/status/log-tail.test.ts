import assert from 'node:assert/strict';
import { silentLogger, type Logger } from '../../../src/core/logger.js';
import { LogTail, MAX_TAIL_CHARACTERS, MAX_TAIL_ENTRIES } from '../../../src/peer/status/log-tail.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('the tail of warnings', () => {
  it('keeps warnings and errors, newest first, with module and task, and passes everything on', () => {
    const passed: string[] = [];
    const pass = (_: object, text: string): void => void passed.push(text);
    const inner: Logger = { debug: pass, info: pass, warn: pass, error: pass, child: () => inner };
    const tail = new LogTail(new ManualClock());
    const logger = tail.wrap(inner);
    logger.info({}, 'nothing to worry about');
    logger
      .child({ module: 'download' })
      .child({ taskId: 't1' })
      .warn({ err: new Error('refused') }, 'a piece failed');
    logger.error({}, 'worse');
    logger.debug({}, 'a detail');
    assert.deepEqual(passed, ['nothing to worry about', 'a piece failed', 'worse', 'a detail']);
    assert.deepEqual(
      tail.entries().map(({ level, module, taskId, message }) => [level, module, taskId, message]),
      [
        ['error', 'daemon', undefined, 'worse'],
        ['warn', 'download', 't1', 'a piece failed: refused'],
      ],
    );
  });

  it('has no secrets', () => {
    const tail = new LogTail(new ManualClock());
    const err = new Error('GET http://user:pw@host/x?token=abc failed');
    tail.wrap(silentLogger).warn({ err }, 'Authorization: Basic abc');
    const [entry] = tail.entries();
    assert.doesNotMatch(entry?.message ?? '', /pw|abc/);
  });

  it('is bounded in lines and in characters', () => {
    const tail = new LogTail(new ManualClock());
    const logger = tail.wrap(silentLogger);
    for (let count = 0; count < MAX_TAIL_ENTRIES + 5; count++) logger.warn({}, 'x'.repeat(MAX_TAIL_CHARACTERS * 2));
    const entries = tail.entries(Infinity);
    assert.equal(entries.length, MAX_TAIL_ENTRIES);
    assert.deepEqual([entries[0]?.number, entries[0]?.message.length], [MAX_TAIL_ENTRIES + 5, MAX_TAIL_CHARACTERS]);
  });
});
