import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { LineListDisplay } from '../../src/cli/list-display.js';
import { ListTally } from '../../src/cli/list-tally.js';
import { TerminalListDisplay } from '../../src/cli/terminal-list-display.js';
import { until } from '../support/until.js';

const LONG = `/a/directory/with/a/long/name/${'x'.repeat(60)}: 9.5 MiB in 3.2s`;
const ESCAPE = String.fromCharCode(27);

describe('where a list shows how it goes', () => {
  const { progress } = new ListTally(3);

  function terminal(): { stream: WriteStream; written: () => string } {
    const stream = new PassThrough({ encoding: 'utf8' });
    let text = '';
    stream.on('data', (chunk: string) => (text += chunk));
    return { stream: Object.assign(stream, { isTTY: true, columns: 40 }) as never, written: () => text };
  }

  it('is a bar at the bottom of a terminal, with lines above it that are not cut', async () => {
    const { stream, written } = terminal();
    const display = new TerminalListDisplay(stream, false);
    display.line('early');
    assert.equal(written(), 'early\n');
    await until('the bar', async () => {
      display.show(progress);
      return written().includes('0/3 files');
    });
    display.line(LONG);
    display.stop();
    assert.ok(written().includes(`${ESCAPE}[?7h${LONG}\n${ESCAPE}[?7l`));
    const afterwards = written().slice(written().lastIndexOf('files'));
    assert.ok(
      afterwards.includes(`${ESCAPE}[?25h`) && afterwards.includes(`${ESCAPE}[?7h`),
      'the terminal is as it was',
    );
    display.line('late');
    assert.ok(written().endsWith('late\n'));
  });

  it('is nothing but lines elsewhere', () => {
    for (const showProgress of [true, false]) {
      const { stream, written } = terminal();
      const display = new LineListDisplay(stream, showProgress);
      display.show(progress);
      display.line(LONG);
      display.stop();
      assert.equal(written(), `${LONG}\n`);
    }
  });
});
