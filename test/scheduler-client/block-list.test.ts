import assert from 'node:assert/strict';
import fc from 'fast-check';
import { silentLogger } from '../../src/core/logger.js';
import { MAX_URL_PATTERN_CHARACTERS, parseBlockList } from '../../src/scheduler-client/block-list.js';
import { recordingLogger, type LogLine } from './support/fixtures.js';

const allowed = { application: 'app', url: 'http://origin.test/file', tag: 'tag', priority: 3 };

const config = (download: object): string => JSON.stringify({ block_list: { task: { download } } });

describe('the block list of a client_config', () => {
  it('matches applications, tags and priorities exactly, and URLs by pattern', () => {
    const list = parseBlockList(
      config({
        applications: ['bad'],
        urls: ['^https?://evil\\.test/', '\\.iso$'],
        tags: ['blocked'],
        priorities: [1],
      }),
      silentLogger,
    );
    assert.equal(list.match(allowed), undefined);
    assert.equal(list.match({ ...allowed, application: 'bad' }), 'applications');
    assert.equal(list.match({ ...allowed, application: 'badly' }), undefined);
    assert.equal(list.match({ ...allowed, tag: 'blocked' }), 'tags');
    assert.equal(list.match({ ...allowed, priority: 1 }), 'priorities');
    assert.equal(list.match({ ...allowed, url: 'https://evil.test/a' }), 'urls');
    assert.equal(list.match({ ...allowed, url: 'http://origin.test/x.iso' }), 'urls');
  });

  it("understands the leading flags and named groups of Rust's patterns", () => {
    const list = parseBlockList(config({ urls: ['(?i)EVIL', 'x(?P<name>y+)z'] }), silentLogger);
    assert.equal(list.match({ ...allowed, url: 'http://Evil.test' }), 'urls');
    assert.equal(list.match({ ...allowed, url: 'http://a.test/xyyz' }), 'urls');
  });

  it('is what the manager makes of it, with everything that was not given as null', () => {
    const download = '{"applications":null,"priorities":null,"tags":["blocked"],"urls":null}';
    const list = `{"persistent_cache_task":null,"persistent_task":null,"task":{"download":${download}}}`;
    const { match } = parseBlockList(`{"block_list":${list},"load_limit":100}`, silentLogger);
    assert.equal(match({ ...allowed, tag: 'blocked' }), 'tags');
    assert.equal(match(allowed), undefined);
  });

  it("has another name, too, as for Dragonfly's client", () => {
    const text = JSON.stringify({ blockList: { task: { download: { tags: ['blocked'] } } } });
    assert.equal(parseBlockList(text, silentLogger).match({ ...allowed, tag: 'blocked' }), 'tags');
  });

  for (const text of ['', '{}', '{"load_limit":50}', '{"block_list":null}', '{"block_list":{"task":null}}', config({})])
    it(`blocks nothing for ${text === '' ? 'an empty text' : text}`, () => {
      assert.equal(parseBlockList(text, silentLogger).match(allowed), undefined);
    });

  it('skips a pattern that is broken or too long, with a warning, and keeps the others', () => {
    const lines: LogLine[] = [];
    const tooLong = 'a'.repeat(MAX_URL_PATTERN_CHARACTERS + 1);
    const list = parseBlockList(config({ urls: ['(', tooLong, 'evil'] }), recordingLogger(lines));
    assert.equal(lines.filter(({ level }) => level === 'warn').length, 2);
    assert.equal(list.match({ ...allowed, url: 'http://evil.test' }), 'urls');
    assert.equal(list.match(allowed), undefined);
  });

  it('refuses the download when a pattern would backtrack for ever', () => {
    const list = parseBlockList(config({ urls: ['^(a+)+$'] }), silentLogger);
    assert.equal(list.match({ ...allowed, url: `${'a'.repeat(60)}!` }), 'urls');
    assert.equal(list.match({ ...allowed, url: 'b' }), undefined);
  });

  it('accepts any JSON or throws, and then matches without throwing', () => {
    const download = fc.record(
      {
        applications: fc.option(fc.array(fc.string())),
        urls: fc.option(fc.array(fc.string({ maxLength: 12 }))),
        tags: fc.option(fc.array(fc.string())),
        priorities: fc.option(fc.array(fc.integer())),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(download.map(config), fc.json()), fc.webUrl(), (text, url) => {
        let list;
        try {
          list = parseBlockList(text, silentLogger);
        } catch {
          return;
        }
        list.match({ ...allowed, url });
      }),
    );
  });
});
