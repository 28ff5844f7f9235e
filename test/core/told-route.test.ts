import assert from 'node:assert/strict';
import { formatToldRoute, parseToldRoute } from '../../src/core/told-route.js';

describe('a route that a parent tells', () => {
  it('reads as it was written', () => {
    const told = { route: 'copy', reason: 'unsupported-socket' };
    assert.equal(formatToldRoute(told), 'copy; reason=unsupported-socket');
    assert.deepEqual(parseToldRoute(formatToldRoute(told)), told);
  });

  it('is nothing that would not fit a line on a terminal', () => {
    const others = [
      '',
      'copy',
      'copy;reason=x',
      'copy; reason=',
      'a b; reason=c',
      'copy; reason=\u001b[2J',
      'Copy; reason=x',
    ];
    for (const text of [undefined, ...others, `copy; reason=${'x'.repeat(33)}`])
      assert.equal(parseToldRoute(text), undefined, String(text));
  });
});
