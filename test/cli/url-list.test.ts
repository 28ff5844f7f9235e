import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { MAX_LIST_BYTES, MAX_LISTED_URLS, parseUrlList, readTargets } from '../../src/cli/url-list.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('a list of URLs', () => {
  const directory = useTemporaryDirectory();
  const { signal } = new AbortController();

  it('has a URL a line, with a name or without', () => {
    const list = '# models\n\nhttps://e.org/a.bin\r\n  https://e.org/b?x=1#y   my file.bin \nhttp://e.org/c sub/c\n';
    assert.deepEqual(
      parseUrlList(list, '/d').map(({ url, output }) => [url, output.kind === 'file' && output.path]),
      [
        ['https://e.org/a.bin', '/d/a.bin'],
        ['https://e.org/b?x=1#y', '/d/my file.bin'],
        ['http://e.org/c', '/d/sub/c'],
      ],
    );
  });

  it('is refused as a whole, with the line', () => {
    const refused: [string, RegExp][] = [
      ['', /^the list has no URL$/],
      ['# nothing\n', /^the list has no URL$/],
      ['https://e.org/a\nftp://e.org/b', /^line 2: ftp:\/\/ is not supported/],
      ['https://e.org/a\nftp://e.org/b named', /^line 2: ftp:\/\/ is not supported/],
      ['https://e.org/', /^line 1: .*suggests no file name/],
      ['https://e.org/a\nhttps://f.org/a', /^line 2 would be written to \/d\/a, as line 1; give it a name$/],
      ['https://e.org/a b/', /^line 1: "b\/" is no file name$/],
    ];
    for (const [list, message] of refused)
      assert.throws(() => parseUrlList(list, '/d'), { code: 'DFP_USAGE', message }, list);
  });

  it('has a bound for its URLs, and one for its bytes', async () => {
    const list = Array.from({ length: MAX_LISTED_URLS }, (_, index) => `http://e.org/${index}`).join('\n');
    assert.equal(parseUrlList(list, '/d').length, MAX_LISTED_URLS);
    assert.throws(
      () => parseUrlList(`${list}\nhttp://e.org/one-more`, '/d'),
      /^UsageError: the list has more than 100000 URLs$/,
    );
    const endless = { kind: 'list', directory: directory(), jobs: 1, path: '/dev/zero' } as const;
    await assert.rejects(readTargets(endless, Readable.from([]), signal), {
      code: 'DFP_USAGE',
      message: `the list is longer than ${MAX_LIST_BYTES} bytes`,
    });
  });

  it('comes from a file or from stdin', async () => {
    const path = join(directory(), 'urls');
    await writeFile(path, 'https://e.org/a\n');
    const source = { kind: 'list', directory: directory(), jobs: 1 } as const;
    const expected = [{ url: 'https://e.org/a', output: { kind: 'file', path: join(directory(), 'a') } }];
    assert.deepEqual(await readTargets({ ...source, path }, Readable.from([]), signal), expected);
    const stdin = Readable.from([Buffer.from('https://e.'), Buffer.from('org/a')]);
    assert.deepEqual(await readTargets({ ...source, path: undefined }, stdin, signal), expected);
    await assert.rejects(readTargets({ ...source, path: '/no/such' }, stdin, signal), {
      code: 'DFP_USAGE',
      message: /ENOENT/,
    });
    await readTargets({ ...source, path, directory: join(directory(), 'made', 'on', 'the', 'way') }, stdin, signal);
    assert.ok((await stat(join(directory(), 'made/on/the/way'))).isDirectory());
    const belowFile = { ...source, path, directory: join(path, 'below') };
    await assert.rejects(readTargets(belowFile, stdin, signal), { code: 'DFP_OUTPUT_IO', message: /ENOTDIR/ });
  });
});
