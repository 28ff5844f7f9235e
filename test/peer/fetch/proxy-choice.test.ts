import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DfpeerError } from '../../../src/core/errors.js';
import { coded } from './support/fixtures.js';
import { chooseProxy } from '../../../src/peer/fetch/origin/proxy-choice.js';

describe('the proxy of a URL', () => {
  const choose = (url: string, env: Record<string, string>): string | undefined => chooseProxy(new URL(url), env)?.href;

  it('is the one that curl would take', () => {
    const proxy = 'http://p:1/';
    assert.equal(choose('http://e.org/', { http_proxy: 'p:1' }), proxy);
    assert.equal(choose('http://e.org/', { HTTP_PROXY: 'p:1' }), undefined, 'a CGI request may set it');
    assert.equal(choose('https://e.org/', { http_proxy: 'p:1' }), undefined);
    assert.equal(choose('https://e.org/', { https_proxy: 'http://u:w@p:1' }), 'http://u:w@p:1/');
    assert.equal(choose('https://e.org/', { HTTPS_PROXY: 'p:1' }), proxy);
    assert.equal(choose('https://e.org/', { https_proxy: 'q:2', HTTPS_PROXY: 'p:1' }), 'http://q:2/');
    for (const url of ['http://e.org/', 'https://e.org/'])
      for (const name of ['all_proxy', 'ALL_PROXY']) assert.equal(choose(url, { [name]: 'p:1' }), proxy);
    assert.equal(choose('http://e.org/', { all_proxy: 'socks5h://p:1' })?.slice(0, 10), 'socks5://p');
    assert.equal(choose('http://e.org/', { http_proxy: '', ALL_PROXY: ' ' }), undefined);
    assert.equal(choose('https://e.org/', { https_proxy: '', HTTPS_PROXY: 'p:1' }), proxy);
    assert.equal(
      choose('https://e.org/', { https_proxy: '', HTTPS_PROXY: ' ', all_proxy: '', ALL_PROXY: 'p:1' }),
      proxy,
    );
  });

  it('is none for the hosts of no_proxy', () => {
    assert.equal(choose('http://e.org/', { http_proxy: 'p:1', no_proxy: '', NO_PROXY: 'e.org' }), undefined);
    const cases: [url: string, list: string, exempt: boolean][] = [
      ['http://e.org/', '*', true],
      ['http://e.org/', 'e.org', true],
      ['http://a.e.org/', 'e.org', true],
      ['http://a.e.org/', 'x, .e.org', true],
      ['http://a.e.org/', '*.e.org', true],
      ['http://ae.org/', 'e.org', false],
      ['http://E.org./', 'e.ORG', true],
      ['http://10.1.2.3/', '10.0.0.0/8', true],
      ['http://11.1.2.3/', '10.0.0.0/8', false],
      ['http://10.1.2.3/', '10.1.2.3', true],
      ['http://10.1.2.3/', '2.3', false],
      ['http://[::1]:8/', '::1', true],
      ['http://[fd00::1]/', 'fd00::/8', true],
      ['http://10.1.2.3/', '10.0.0.0/99', false],
      ['http://e.org/', '', false],
    ];
    for (const [url, list, exempt] of cases)
      for (const name of ['no_proxy', 'NO_PROXY'])
        assert.equal(choose(url, { http_proxy: 'p:1', [name]: list }) === undefined, exempt, `${url} in ${list}`);
  });

  it('is an error that names the variable when it can not be used, except for hosts of no_proxy', () => {
    for (const value of ['socks4://u:secret@p:1', 'gopher://p:1', 'http://p:99999', 'p:x', 'socks5://', 'http:// /'])
      for (const name of ['http_proxy', 'all_proxy', 'ALL_PROXY']) {
        assert.throws(
          () => choose('http://e.org/', { [name]: value }),
          (error: DfpeerError) =>
            coded('DFP_CONFIG', new RegExp(`^${name} `))(error) && !error.message.includes('secret'),
          value,
        );
        assert.equal(choose('http://e.org/', { [name]: value, no_proxy: 'e.org' }), undefined);
      }
  });

  it('is found, or is such an error, whatever the variables are', () =>
    fc.assert(
      fc.property(fc.webUrl(), fc.string(), fc.string(), (url, proxy, list) => {
        try {
          const chosen = chooseProxy(new URL(url), { all_proxy: proxy, no_proxy: list });
          assert.ok(chosen !== undefined || proxy.trim() === '' || list.trim() !== '');
        } catch (error) {
          assert.ok(error instanceof DfpeerError && error.code === 'DFP_CONFIG');
        }
      }),
    ));
});
