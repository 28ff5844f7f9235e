import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { parseDfgetCommand } from '../../src/cli/dfget-program.js';
import { parseDfdaemonCommand } from '../../src/cli/dfdaemon-options.js';
import { parseDynconfig } from '../../src/config/dynconfig.js';
import { listKeys } from '../../src/config/key-spec.js';
import { parseDaemonConfig } from '../../src/config/load.js';
import { DAEMON_SCHEMA } from '../../src/config/schema.js';
import { ERROR_KINDS } from '../../src/core/errors.js';
import { DOCS, examples, ROOT } from './support.js';

interface Document {
  path: string;
  text: string;
}

async function readDocuments(): Promise<Document[]> {
  const own = (await readdir(DOCS)).filter((name) => name.endsWith('.md')).map((name) => join(DOCS, name));
  const top = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'native/README.md', 'bench/README.md'].map((name) =>
    join(ROOT, name),
  );
  const paths = [...own, ...top].filter((path) => existsSync(path));
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(path, 'utf8') })));
}

/** Marks and text of each heading; `#` in blocks of code is none. */
function headingsIn(text: string): string[][] {
  const prose = text.replace(/^```.*?^```$/gms, '');
  return [...prose.matchAll(/^(#+) (.+)$/gm)].map(([, marks = '', title = '']) => [marks, title]);
}

/** As GitHub makes them of headings. */
function anchorsIn(text: string): Set<string> {
  const toAnchor = (title: string): string =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- ]/gu, '')
      .replaceAll(' ', '-');
  return new Set(headingsIn(text).map(([, title = '']) => toAnchor(title)));
}

/** Every key and section of the configuration. */
function knownKeys(): Set<string> {
  const keys = listKeys(DAEMON_SCHEMA).map(({ path }) => path);
  const sections = keys.flatMap((key) => key.split('.').map((_, index, parts) => parts.slice(0, index).join('.')));
  return new Set([...keys, ...sections]);
}

describe('the documents', () => {
  let documents: Document[];

  before(async () => {
    documents = await readDocuments();
  });

  it('link to documents that exist', () => {
    for (const { path, text } of documents)
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g))
        assert.ok(existsSync(join(dirname(path), target)), `${path} links to ${target}`);
  });

  it('link to headings that exist', () => {
    const headings = new Map(documents.map(({ path, text }) => [normalize(path), anchorsIn(text)]));
    for (const { path, text } of documents)
      for (const [, target = '', anchor = ''] of text.matchAll(/\]\((?!https?:)([^)#\s]*)#([^)]+)\)/g)) {
        const linked = target === '' ? path : join(dirname(path), target);
        assert.ok(headings.get(normalize(linked))?.has(anchor), `${path} links to ${target}#${anchor}`);
      }
  });

  it('have one title each, and no heading without the one above it', () => {
    for (const { path, text } of documents) {
      const levels = headingsIn(text).map(([marks = '']) => marks.length);
      assert.equal(levels.indexOf(1), levels.lastIndexOf(1), `${path} has several titles`);
      for (const [index, level] of levels.entries())
        assert.ok(level <= (levels[index - 1] ?? 0) + 1, `${path}: heading ${index + 1} skips a level`);
    }
  });

  it('name files of the repository that exist', () => {
    for (const { path, text } of documents)
      // Results are there once a benchmark has run.
      for (const [, file = ''] of text.matchAll(
        /`(?!bench\/results\/)((?:src|test|native|bench|proto|docs|deploy|scripts)\/[\w./-]+)`/g,
      ))
        assert.ok(existsSync(join(ROOT, file)), `${path} names ${file}`);
  });

  it('name keys of the configuration that exist', () => {
    const keys = knownKeys();
    const sections = [...keys].filter((key) => key !== '' && !key.includes('.'));
    const dotted = new RegExp(`\`((?:${sections.join('|')})\\.(?!yaml\`)[A-Za-z.]+)\``, 'g');
    for (const { path, text } of documents)
      for (const [, key = ''] of text.matchAll(dotted)) assert.ok(keys.has(key), `${path} names ${key}`);
  });

  it('name error codes that exist', () => {
    for (const { path, text } of documents)
      for (const [code] of text.matchAll(/\bDFP_[A-Z_]*[A-Z]\b/g))
        assert.ok(Object.hasOwn(ERROR_KINDS, code), `${path} names ${code}`);
  });

  it('show YAML that is valid', () => {
    for (const { path, text } of documents)
      for (const yaml of examples(text, 'yaml')) {
        const { unknown, ignored } = parseDaemonConfig(yaml, path).ineffective;
        // A dynconfig file has a section of the same name.
        if (unknown.length + ignored.length > 0)
          assert.ok(parseDynconfig(yaml, path).schedulers.length > 0, `${path}:\n${yaml}`);
      }
  });

  it('show commands with flags that exist', () => {
    for (const { path, text } of documents)
      for (const block of examples(text, 'sh'))
        for (const [, program, rest = ''] of block.matchAll(
          /^(?:.*&& )?(?:bin\/)?(dfget|dfdaemon)\b(?: ([^#|\n]*))?/gm,
        )) {
          const args =
            rest.trim() === ''
              ? []
              : rest
                  .trim()
                  .replaceAll('sha256:DIGEST', `sha256:${'0'.repeat(64)}`)
                  .split(/\s+/);
          const parse = (): unknown =>
            program === 'dfget' ? parseDfgetCommand(args, {}, '0') : parseDfdaemonCommand(args, {}, '0');
          assert.doesNotThrow(parse, `${path}: ${program ?? ''} ${rest}`);
        }
  });

  it('name no machine of ours', () => {
    for (const { path, text } of documents) assert.doesNotMatch(text, /\/(?:tmp|work|home|root)\/\w/, path);
  });
});
