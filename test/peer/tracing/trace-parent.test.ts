import assert from 'node:assert/strict';
import { formatTraceParent, parseTraceParent } from '../../../src/peer/tracing/trace-parent.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('a traceparent', () => {
  it('reads as it was written', () => {
    const text = `00-${TRACE}-${SPAN}-01`;
    assert.equal(formatTraceParent({ traceId: TRACE, spanId: SPAN, traceFlags: 1 }), text);
    assert.deepEqual(parseTraceParent(text), { traceId: TRACE, spanId: SPAN, traceFlags: 1 });
  });

  it('of a later version is taken for what is known of it', () => {
    assert.equal(parseTraceParent(`cc-${TRACE}-${SPAN}-ff-what-comes-later`)?.traceFlags, 1);
  });

  it('is overlooked when it is none', () => {
    const others = [
      ...['', 'x', `00-${TRACE}-${SPAN}`, `ff-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01-more`],
      ...[
        `00-${'0'.repeat(32)}-${SPAN}-01`,
        `00-${TRACE}-${'0'.repeat(16)}-01`,
        `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      ],
    ];
    for (const text of others) assert.equal(parseTraceParent(text), undefined, text);
  });
});
