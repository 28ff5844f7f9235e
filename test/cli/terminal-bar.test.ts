import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { TerminalBar } from '../../src/cli/terminal-bar.js';
import { until } from '../support/until.js';

const ESCAPE = String.fromCharCode(27);
const [SHOW_CURSOR, HIDE_CURSOR] = [`${ESCAPE}[?25h`, `${ESCAPE}[?25l`];
const [WRAP_LINES, CUT_LINES] = [`${ESCAPE}[?7h`, `${ESCAPE}[?7l`];

describe('a bar on a terminal', () => {
  let written: string;
  let stream: WriteStream;

  beforeEach(() => {
    written = '';
    const sink = new PassThrough({ encoding: 'utf8' }).on('data', (chunk: string) => (written += chunk));
    stream = Object.assign(sink, { isTTY: true, columns: 40 }) as unknown as WriteStream;
  });

  const isAsItWas = (text: string): boolean =>
    text.lastIndexOf(SHOW_CURSOR) > text.lastIndexOf(HIDE_CURSOR) &&
    text.lastIndexOf(WRAP_LINES) > text.lastIndexOf(CUT_LINES);

  it('gives the terminal back while Ctrl-Z has stopped the process, and comes again when that goes on', async () => {
    let shown = 'before';
    let whileStopped = '';
    const bar = new TerminalBar(
      stream,
      () => shown,
      () => {
        whileStopped = written;
        shown = 'afterwards';
        assert.equal(process.listenerCount('SIGTSTP'), 0, 'the signal has its usual effect');
      },
    );
    await until('the bar', async () => written.includes('before'));
    process.emit('SIGTSTP');
    assert.ok(isAsItWas(whileStopped));
    await until('the bar again', async () => written.includes('afterwards'));
    assert.ok(!isAsItWas(written));
    bar.stop();
    assert.ok(isAsItWas(written));
    assert.equal(process.listenerCount('SIGTSTP'), 0);
  });

  it('does not go back to where it began, as lines may have scrolled there since', async () => {
    const bar = new TerminalBar(stream, () => 'shown');
    await until('the bar', async () => written.includes('shown'));
    bar.stop();
    assert.ok(!written.includes(`${ESCAPE}8`));
  });
});
