import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describeError } from '../../src/cli/report-error.js';
import type { DownloadResult } from '../../src/cli/download-client.js';
import { renderFindings } from '../../src/cli/doctor/render.js';
import { explain } from '../../src/cli/explain.js';
import { HumanReporter } from '../../src/cli/human-reporter.js';
import { JsonReporter } from '../../src/cli/json-reporter.js';
import { LineListDisplay } from '../../src/cli/list-display.js';
import { ListReporter } from '../../src/cli/list-reporter.js';
import { openLog } from '../../src/cli/log.js';
import type { Progress } from '../../src/cli/progress.js';
import type { Reporter } from '../../src/cli/reporter.js';
import { showRemoved } from '../../src/cli/show-tasks.js';
import { DfpeerError } from '../../src/core/errors.js';
import { hostileText, steersTerminal } from '../support/hostile-text.js';

/** A result in which everything that others chose is this text. */
function resultOf(text: string): DownloadResult {
  return {
    taskId: text,
    peerId: text,
    contentLength: 10,
    wantedBytes: 10,
    bytes: 10,
    bytesBySource: { origin: 2, peers: 8, local: 0 },
    outputBytes: 10,
    outputMethod: text,
    shares: [{ peerId: text, bytes: 8, pieces: 1, busyMs: 1 }],
    story: {
      originReason: text,
      carried: [{ parentId: text, protocol: text, route: text, reason: text, bytes: 8 }],
    },
    firstPieceMs: undefined,
  };
}

/** All that a reporter writes of a download that succeeds, and of one that fails. */
function reported(text: string, make: (stream: PassThrough) => Reporter): string {
  const stream = new PassThrough({ encoding: 'utf8' });
  const reporter = make(stream);
  const target = { url: `http://e.org/${text}`, output: { kind: 'file', path: text } } as const;
  reporter.begin(target, 0).done(resultOf(text), text);
  reporter.begin(target, 1).failed(new DfpeerError('DFP_INTERNAL', text), 1, false);
  reporter.end({ files: 2, failed: 1, exitCode: 1, interrupted: false });
  return String(stream.read());
}

const noProgress = (): Progress => ({ onProgress: () => undefined, stop: () => undefined });

describe('what strangers wrote', () => {
  const cases: readonly [name: string, show: (text: string) => string][] = [
    [
      'a download for people',
      (text) =>
        reported(
          text,
          (stream) => new HumanReporter({ stream, showProgress: true, explain, createProgress: noProgress }),
        ),
    ],
    [
      'a list of downloads for people',
      (text) =>
        reported(
          text,
          (stream) =>
            new ListReporter({ display: new LineListDisplay(stream, false), files: 2, showProgress: true, explain }),
        ),
    ],
    ['JSON lines', (text) => reported(text, (stream) => new JsonReporter(stream))],
    ['the error that ends a program', (text) => describeError('dfget', { code: 'DFP_INTERNAL', message: text })],
    ['the task that was removed', (text) => showRemoved({ id: 'f'.repeat(64), storedBytes: 1, url: text })],
    [
      "the doctor's findings",
      (text) => renderFindings([{ check: 'a', status: 'fail', message: text, remedy: text }], { colour: false }),
    ],
  ];
  for (const [name, show] of cases)
    it(`steers no terminal: ${name}`, () =>
      fc.assert(
        fc.property(hostileText, (text) => {
          assert.ok(!steersTerminal(show(text)), JSON.stringify(show(text)));
        }),
      ));

  it('steers no terminal: the log on a console', async () => {
    const { NO_COLOR } = process.env;
    process.env.NO_COLOR = '1';
    try {
      await fc.assert(
        fc.asyncProperty(hostileText, async (text) => {
          const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true });
          const log = await openLog({
            name: 'dfdaemon',
            level: 'info',
            levels: {},
            dir: '/nowhere',
            maxFiles: 1,
            maxFileSizeBytes: 4096,
            console: true,
            consoleStream: stream,
          });
          log.logger.child({ peer: text }).warn({ [text]: text, err: new Error(text), list: [text] }, text);
          await log.close();
          const written = String(stream.read());
          assert.ok(written.includes('WARN') && !steersTerminal(written), JSON.stringify(written));
        }),
      );
    } finally {
      if (NO_COLOR === undefined) delete process.env.NO_COLOR;
      else process.env.NO_COLOR = NO_COLOR;
    }
  });

  it('can not pass for a message of ours', () => {
    const written = reported(
      'x\ndfget: all is well',
      (stream) => new HumanReporter({ stream, showProgress: false, explain: undefined, createProgress: noProgress }),
    );
    assert.equal(written, 'dfget: x\n  dfget: all is well [DFP_INTERNAL]\n');
  });
});
