import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readDocument, ROOT } from './support.js';

const CITATION = /docs\/WIRE\.md (\d+(?:\.\d+)?)(?: to (\d+\.\d+))?/g;

/** Each section of docs/WIRE.md that the code cites, with the files that do. */
async function citations(): Promise<Map<string, string[]>> {
  const cited = new Map<string, string[]>();
  for (const folder of ['src', 'native', 'test', 'bench', 'proto'])
    for (const entry of await readdir(join(ROOT, folder), { recursive: true })) {
      if (!/\.(?:ts|proto)$/.test(entry) || entry.startsWith('generated/') || entry === 'docs/wire.test.ts') continue;
      const file = join(folder, entry);
      const text = await readFile(join(ROOT, file), 'utf8');
      // A citation may be broken by the end of a comment's line.
      for (const [, first = '', last = first] of text.replaceAll(/\s*\n\s*\* /g, ' ').matchAll(CITATION))
        for (const section of upTo(first, last)) cited.set(section, [...(cited.get(section) ?? []), file]);
    }
  return cited;
}

/** `1.4` to `1.6`: 1.4, 1.5 and 1.6. */
function upTo(first: string, last: string): string[] {
  if (first === last) return [first];
  const [chapter = '', from = ''] = first.split('.');
  const count = Number(last.split('.')[1]) - Number(from) + 1;
  return Array.from({ length: count }, (_, index) => `${chapter}.${Number(from) + index}`);
}

describe('docs/WIRE.md', () => {
  let sections: string[];
  let cited: Map<string, string[]>;

  before(async () => {
    const text = await readDocument('WIRE.md');
    sections = [...text.matchAll(/^##+ (\d+(?:\.\d+)?)\.? /gm)].map(([, number = '']) => number);
    cited = await citations();
  });

  it('has every section that the code cites', () => {
    for (const [section, files] of cited) assert.ok(sections.includes(section), `${files.join(', ')}: ${section}`);
  });

  it('has no section that nobody cites', () => {
    const idle = sections.filter((section) => section.includes('.') && !cited.has(section));
    assert.deepEqual(idle, [], 'cite them where the code relies on them, or leave them out');
  });

  it('numbers its sections without gaps', () => {
    const expected = sections.map((section, index) => {
      const [chapter = '', part] = (sections[index - 1] ?? '0').split('.');
      return section.includes('.') ? `${chapter}.${Number(part ?? 0) + 1}` : String(Number(chapter) + 1);
    });
    assert.deepEqual(sections, expected);
  });

  it('is cited in one way', async () => {
    for (const folder of ['src', 'native', 'test', 'bench'])
      for (const entry of await readdir(join(ROOT, folder), { recursive: true }))
        if (entry.endsWith('.ts') && entry !== 'docs/wire.test.ts')
          assert.doesNotMatch(await readFile(join(ROOT, folder, entry), 'utf8'), /wire facts,|WIRE\.md§/, entry);
  });
});
