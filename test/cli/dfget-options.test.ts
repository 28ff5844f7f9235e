import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { DfgetOptions } from '../../src/cli/dfget-options.js';
import { parseDfgetCommand } from '../../src/cli/dfget-program.js';
import { parseHeaders, parseRange } from '../../src/cli/http-flags.js';
import { nameFromUrl } from '../../src/cli/source-url.js';
import { DfpeerError, UsageError } from '../../src/core/errors.js';
import { RESERVED_HEADERS } from '../../src/core/request-header.js';
import { DEFAULT_FILTERED_QUERY_PARAMS } from '../../src/core/signing-query-params.js';

const URL_ = 'https://example.org/a/file.bin';

function run(argv: string[], env: Record<string, string> = {}): DfgetOptions {
  const parsed = parseDfgetCommand(argv, env, '1.2.3', () => '/work');
  assert.equal(parsed.kind, 'run');
  return parsed.options;
}

describe('flags of dfget', () => {
  it("have Dragonfly's defaults, and the URL's name as output", () => {
    assert.deepEqual(run([URL_]), {
      source: { kind: 'url', url: URL_, output: { kind: 'file', path: '/work/file.bin' } },
      endpoint: undefined,
      overwrite: false,
      digest: undefined,
      timeoutMs: 7_200_000,
      requestHeader: {},
      netrc: undefined,
      tag: '',
      application: '',
      priority: 6,
      pieceLength: undefined,
      filteredQueryParams: DEFAULT_FILTERED_QUERY_PARAMS,
      disableBackToSource: false,
      forceHardLink: false,
      noHardLink: false,
      contentForCalculatingTaskId: undefined,
      transferFromDfdaemon: false,
      rateLimitBytesPerSecond: undefined,
      range: undefined,
      explain: false,
      json: false,
      showProgress: true,
      logLevel: undefined,
      console: false,
    });
  });

  it('are all taken', () => {
    const sha = 'a'.repeat(64);
    const flags =
      `-O out/f -e s.sock --no-progress --overwrite --digest sha256:${sha} --timeout 1m30s --tag t --application a -p 2 ` +
      '--piece-length 8mib --filtered-query-param x --filtered-query-param y --disable-back-to-source ' +
      '--content-for-calculating-task-id c --transfer-from-dfdaemon --ratelimit 10MiB/s --range 5-9 -l debug --console ' +
      '--explain --json --netrc-file rc --netrc-optional';
    assert.deepEqual(run([URL_, ...flags.split(' '), '-H', 'Accept: */*', '-H', 'X-A:1', '-H', 'x-a: 2']), {
      source: { kind: 'url', url: URL_, output: { kind: 'file', path: '/work/out/f' } },
      endpoint: '/work/s.sock',
      overwrite: true,
      digest: { algorithm: 'sha256', value: sha },
      timeoutMs: 90_000,
      requestHeader: { Accept: '*/*', 'X-A': '1, 2' },
      netrc: { path: '/work/rc', optional: true },
      tag: 't',
      application: 'a',
      priority: 2,
      pieceLength: 8 * 1024 * 1024,
      filteredQueryParams: ['x', 'y'],
      disableBackToSource: true,
      forceHardLink: false,
      noHardLink: false,
      contentForCalculatingTaskId: 'c',
      transferFromDfdaemon: true,
      rateLimitBytesPerSecond: 10 * 1024 * 1024,
      range: 'bytes=5-9',
      explain: true,
      json: true,
      showProgress: false,
      logLevel: 'debug',
      console: true,
    });
    assert.equal(run([URL_, '--force-hard-link']).forceHardLink, true);
    const toStdout = { kind: 'url', url: URL_, output: { kind: 'stdout' } };
    assert.deepEqual(run([URL_, '-O', '-']).source, toStdout);
    assert.deepEqual(run([URL_, '-O', '/abs/f']).source, { ...toStdout, output: { kind: 'file', path: '/abs/f' } });
    assert.deepEqual(run([URL_, '-n']).netrc, { path: undefined, optional: false });
    const list = { kind: 'list', path: '/work/urls', directory: '/work', jobs: 4 };
    assert.deepEqual(run(['-i', 'urls']).source, list);
    assert.deepEqual(run(['-i', '-', '-O', 'd', '-j', '9']).source, {
      ...list,
      path: undefined,
      directory: '/work/d',
      jobs: 9,
    });
    assert.deepEqual(parseDfgetCommand(['--completions', 'zsh'], {}, '1'), { kind: 'completions', shell: 'zsh' });
  });

  it('come from variables too, and win over them', () => {
    const env = {
      DFGET_TAG: 'env',
      DFGET_APPLICATION: 'env',
      DFGET_NO_PROGRESS: '1',
      DFGET_OVERWRITE: 'false',
      DFGET_HEADER: 'A: b',
    };
    const options = run([URL_, '--tag', 'flag'], env);
    assert.equal(options.tag, 'flag');
    assert.equal(options.application, 'env');
    assert.equal(options.showProgress, false);
    assert.equal(options.overwrite, false);
    assert.deepEqual(options.requestHeader, { A: 'b' });
    assert.throws(() => run([URL_], { DFGET_TIMEOUT: 'soon' }), { message: /^DFGET_TIMEOUT: not a duration: "soon"/ });
  });

  const refused: [argv: string[], message: RegExp][] = [
    [[], /^no URL given; write dfget URL -O FILE/],
    [['example.org/f'], /^not a URL: "example\.org\/f"; write http/],
    [['ftp://e.org/f'], /^ftp:\/\/ is not supported: dfget downloads from http:\/\/ and https:\/\/ only/],
    [['s3://bucket/f'], /^s3:\/\/ is not supported/],
    [['localhost:8080/x?y'], /^not a URL: localhost:8080\/x\?y; write http:\/\/localhost:8080\/x\?y$/],
    [['example.org:80'], /^not a URL: .*; write http:\/\/example\.org:80$/],
    [
      [URL_, 'https://e.org/2'],
      /^one URL is taken, and "https:\/\/e\.org\/2" is one more; .* several URLs with --input-file$/,
    ],
    [['https://e.org/'], /^https:\/\/e\.org\/ suggests no file name; give one with -O$/],
    ...['%1b%5B2J', 'a%0Ab', '%7f', 'a%00'].map((name): [string[], RegExp] => [
      [`https://e.org/${name}`],
      /suggests no file name; give one with -O$/,
    ]),
    [[URL_, '--digest', 'md5:00'], /^--digest: not a digest/],
    [[URL_, '--timeout', '10'], /^--timeout: not a duration/],
    [[URL_, '--timeout', '0s'], /^--timeout: /],
    [[URL_, '-p', '7'], /^--priority: expected a whole number from 0 to 6, found "7"$/],
    [[URL_, '--piece-length', '1MiB'], /^--piece-length: expected 4\.0 MiB to 64\.0 MiB, found "1MiB"$/],
    [[URL_, '--piece-length', '65MiB'], /^--piece-length: /],
    [[URL_, '--ratelimit', '0'], /^--ratelimit: expected more than 0/],
    [[URL_, '--ratelimit', 'fast'], /^--ratelimit: not a size/],
    [[URL_, '--range', '9-5'], /^--range: expected one range such as 0-99, 100- or -500, found "9-5"$/],
    [[URL_, '--range', '1-2', '-H', 'range: bytes=3-4'], /^--range and a Range header contradict each other/],
    [[URL_, '-H', 'no colon'], /^--header: expected "Name: value"$/],
    [[URL_, '-O', 'dir/'], /^-O dir\/ names a directory; give a file name, such as dir\/file$/],
    [[URL_, '-O', ''], /^-O is empty; give a file name/],
    [[URL_, '-O', 'dir/..'], /^-O dir\/\.\. names a directory/],
    [[URL_, '-O', '.'], /^-O \. names a directory/],
    [[URL_, '-O', '-', '--force-hard-link'], /^--force-hard-link needs a file/],
    [[URL_, '--transfer-from-dfdaemon', '--force-hard-link'], /exclude each other/],
    [[URL_, '-e', `/${'x'.repeat(200)}`], /^--endpoint: .*at most 107 bytes/],
    [
      [URL_, '--storage-region', 'eu'],
      /^--storage-region is not supported: dfget downloads single files over http and https only$/,
    ],
    [[URL_, '--storage-insecure-skip-verify'], /^--storage-insecure-skip-verify is not supported/],
    [[URL_, '--hdfs-delegation-token', 'x'], /^--hdfs-delegation-token is not supported/],
    [[URL_, '-i', 'f'], /^give either a URL or --input-file, not both$/],
    [['-i', 'f', '-O', '-'], /^-O - takes one URL only/],
    [['-i', 'f', '--digest', `crc32:1`], /^--digest is of one content/],
    [['-i', 'f', '--content-for-calculating-task-id', 'x'], /^--content-for-calculating-task-id names one task/],
    [['-i', 'f', '-j', '0'], /^--jobs: expected a whole number from 1 to 64/],
    [[URL_, '-j', '2'], /^--jobs is for the URLs of --input-file/],
    [['--completions', 'tcsh'], /^--completions: expected one of bash, zsh, fish/],
    [[URL_, '--hf-token', 'x'], /^--hf-token is not supported/],
    [[URL_, '-r'], /^--recursive is not supported/],
    [[URL_, '--no-such-flag'], /^unknown option '--no-such-flag'.*see dfget --help$/s],
  ];
  for (const [argv, message] of refused)
    it(`are refused by name: ${argv.join(' ').slice(0, 80)}`, () =>
      assert.throws(() => run(argv), { code: 'DFP_USAGE', message }));

  it('never repeat a password or a signature in an error', () => {
    const secretive = ['ftp://me:hunter2@e.org/f?X-Amz-Signature=hunter2', 'https://me:hunter2@e.org/?token=hunter2'];
    for (const url of secretive)
      assert.throws(
        () => run([url]),
        (error: Error) => error instanceof DfpeerError && !error.message.includes('hunter2'),
      );
    assert.throws(
      () => run([URL_, '-H', 'Authorization hunter2']),
      (error: Error) => !error.message.includes('hunter2'),
    );
  });

  it('need no working directory where all paths are absolute', () => {
    const gone = (): string => {
      throw new UsageError('gone');
    };
    const parse = (...argv: string[]): unknown => parseDfgetCommand(argv, {}, '1', gone);
    parse(URL_, '-O', '/out/f', '-e', '/run/sock', '--netrc-file', '/n');
    parse(URL_, '-O', '-');
    parse('-i', '/list', '-O', '/out');
    for (const argv of [[URL_], [URL_, '-O', 'f'], ['-i', 'list', '-O', '/out'], ['-i', '/list']])
      assert.throws(() => parse(...argv), { message: 'gone' }, argv.join(' '));
  });

  it('show version and help without running', () => {
    assert.deepEqual(parseDfgetCommand(['-V'], {}, '1.2.3'), { kind: 'show', text: 'dfget 1.2.3\n' });
    const help = parseDfgetCommand(['-h'], {}, '1');
    assert.ok(help.kind === 'show');
    assert.doesNotMatch(help.text, /--storage-|--recursive/);
  });

  it('of any kind give options or DFP_USAGE', () =>
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom(URL_, '-O', '-H', 'a: b', '--range', '--tag', '--', '-'))),
        (argv) => {
          try {
            parseDfgetCommand(argv, {}, '1', () => '/work');
          } catch (error) {
            assert.ok(error instanceof DfpeerError && error.kind === 'usage', String(error));
          }
        },
      ),
    ));
});

describe("parts of dfget's flags", () => {
  it('headers keep no line breaks or control characters', () => {
    for (const text of ['A: b\r\nC: d', 'A: b\0', 'A\n: b', ': b', 'A B: c'])
      assert.throws(() => parseHeaders([{ text, from: '--header' }]), { code: 'DFP_USAGE' }, JSON.stringify(text));
    assert.deepEqual(parseHeaders([{ text: '__proto__: x', from: '-H' }]), Object.fromEntries([['__proto__', 'x']]));
  });

  it('headers of one name become one: cookies by semicolons, all others by commas', () => {
    const lines = ['Cookie: a=1', 'X: 1', 'cookie: b=2', 'x: 2'].map((text) => ({ text, from: '-H' }));
    assert.deepEqual(parseHeaders(lines), { Cookie: 'a=1; b=2', X: '1, 2' });
  });

  it('headers that would be left out of the request are refused by name, with the reason; a range is not left out', () => {
    for (const [name, reason] of RESERVED_HEADERS) {
      const parse = (): object => parseHeaders([{ text: `${name.toUpperCase()}: x`, from: '-H' }]);
      if (name === 'range') assert.deepEqual(parse(), { RANGE: 'x' });
      else
        assert.throws(parse, {
          code: 'DFP_USAGE',
          message: `-H: ${name.toUpperCase()} can't be set: ${reason}; drop it`,
        });
    }
  });

  it('ranges are those of RFC 9110 with or without their unit', () => {
    assert.deepEqual(['0-0', '10-', '-5', 'bytes=1-2'].map(parseRange), [
      'bytes=0-0',
      'bytes=10-',
      'bytes=-5',
      'bytes=1-2',
    ]);
    for (const text of ['', '-', '-0', '5', '1-2,4-5', 'a-b', '0-99999999999999999', 'bytes 1-2'])
      assert.throws(() => parseRange(text), { code: 'DFP_USAGE' }, text);
  });

  it('a file name from a URL never leaves the directory', () => {
    assert.equal(nameFromUrl('https://e.org/a/b%20c.bin?q=/x#/y'), 'b c.bin');
    assert.equal(nameFromUrl('https://e.org/100%'), '100%');
    for (const path of ['', '%2e%2e', '..%2fetc', 'a%00b', 'd/'])
      assert.throws(() => nameFromUrl(`https://e.org/${path}`), { code: 'DFP_USAGE' }, path);
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), (url) => {
        try {
          assert.doesNotMatch(nameFromUrl(url), /^\.{0,2}$|[/\0]/);
        } catch (error) {
          assert.ok(error instanceof DfpeerError);
        }
      }),
    );
  });
});
