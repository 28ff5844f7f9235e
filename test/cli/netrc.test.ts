import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { MAX_NETRC_BYTES, parseNetrc, readNetrc, withNetrc } from '../../src/cli/netrc.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('a netrc file', () => {
  const directory = useTemporaryDirectory();
  const { signal } = new AbortController();
  const entries = parseNetrc(`# mine
machine e.org login me password "s e\\"cret" # comment
machine e.org
  login other
  password second
macdef init
  machine evil.org login x password y

machine f.org account a login "" password p#1
default login anonymous password mail@`);

  it('is read with quotes, comments, several lines and macros', () =>
    assert.deepEqual(entries, [
      { machine: 'e.org', login: 'me', password: 's e"cret' },
      { machine: 'e.org', login: 'other', password: 'second' },
      { machine: 'f.org', login: '', password: 'p#1' },
      { machine: undefined, login: 'anonymous', password: 'mail@' },
    ]));

  it('has comments where a token could begin, not within quotes or words', () => {
    const text = 'machine a login b password "a #b" # "not this\n# machine c\nmachine d login "#e" password f#g #h';
    assert.deepEqual(parseNetrc(text), [
      { machine: 'a', login: 'b', password: 'a #b' },
      { machine: 'd', login: '#e', password: 'f#g' },
    ]);
  });

  it('is for a user that is not encoded properly, too', () => {
    const own = [{ machine: 'e.org', login: '50%', password: 'p' }];
    for (const user of ['50%', '50%25', ''])
      assert.equal(
        withNetrc({}, `http://${user}@e.org/`, { entries: own, optional: false }).Authorization,
        basic('50%:p'),
      );
    assert.deepEqual(withNetrc({}, 'http://60%@e.org/', { entries: own, optional: false }), {});
  });

  it('gives the entry of the host, and of the user that the URL names', () => {
    const headerOf = (url: string): string | undefined =>
      withNetrc({}, url, { entries, optional: false }).Authorization;
    assert.equal(headerOf('https://E.ORG/x'), basic('me:s e"cret'));
    assert.equal(headerOf('https://other@e.org/x'), basic('other:second'));
    assert.equal(headerOf('https://other:ignored@e.org/x'), basic('other:second'));
    assert.equal(headerOf('https://f.org/x'), basic(':p#1'));
    assert.equal(headerOf('https://elsewhere.org/'), basic('anonymous:mail@'));
    assert.deepEqual(withNetrc({}, 'https://g.org', { entries: entries.slice(0, 3), optional: false }), {});
  });

  it('names an IPv6 address without brackets, and its words in any case, as curl takes them', () => {
    const own = parseNetrc('MACHINE 2001:DB8::1 Login me PASSWORD Secret');
    const headers = withNetrc({}, 'http://[2001:DB8::1]:8080/', { entries: own, optional: false });
    assert.equal(headers.Authorization, basic('me:Secret'));
  });

  it("yields to a header of the user's, and an optional one to the URL", () => {
    for (const own of [{ authorization: 'Bearer x' }, { Authorization: 'Bearer x' }])
      assert.equal(withNetrc(own, 'https://e.org/x', { entries, optional: false }), own);
    assert.deepEqual(withNetrc({}, 'https://other:pw@e.org/x', { entries, optional: true }), {});
    const named = withNetrc({}, 'https://other@e.org/x', { entries, optional: true });
    assert.equal(named.Authorization, basic('other:second'));
    assert.deepEqual(withNetrc({}, 'https://e.org/x', undefined), {});
  });

  it('must be there unless it is optional', async () => {
    const path = join(directory(), 'netrc');
    await assert.rejects(readNetrc({ path, optional: false }, {}, signal), {
      code: 'DFP_USAGE',
      message: /^--netrc: .*ENOENT/,
    });
    assert.deepEqual(await readNetrc({ path, optional: true }, {}, signal), []);
    await assert.rejects(readNetrc({ path: directory(), optional: true }, {}, signal), { code: 'DFP_USAGE' });
    await writeFile(path, 'machine a login b password c');
    const found = [{ machine: 'a', login: 'b', password: 'c' }];
    assert.deepEqual(await readNetrc({ path, optional: false }, {}, signal), found);
    assert.deepEqual(await readNetrc({ path: undefined, optional: false }, { NETRC: path }, signal), found);
  });

  it('is read as far as its bound: a device has no end', async () => {
    await assert.rejects(readNetrc({ path: '/dev/zero', optional: false }, {}, signal), {
      code: 'DFP_USAGE',
      message: `--netrc: /dev/zero is longer than ${MAX_NETRC_BYTES} bytes`,
    });
  });

  it('of any content is read without an exception', () =>
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('machine ', 'login ', '"', '\\', '\n', '#', 'x', 'macdef ') }),
        (text) => {
          assert.ok(Array.isArray(parseNetrc(text)));
        },
      ),
    ));
});
