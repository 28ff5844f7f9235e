import assert from 'node:assert/strict';
import { renderTable, type Column } from '../../src/cli/table.js';

interface Row {
  name: string;
  size: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'SIZE', align: 'right', cell: ({ size }) => size },
  { title: 'NAME', flexible: { minWidth: 8, keepEnd: true }, cell: ({ name }) => name },
];

describe('tables on a terminal', () => {
  it('align their columns and end lines without blanks', () => {
    const rows = [
      { name: 'a', size: '1 B' },
      { name: 'bb', size: '10.0 KiB' },
    ];
    assert.equal(renderTable(COLUMNS, rows, 80), '    SIZE  NAME\n     1 B  a\n10.0 KiB  bb\n');
  });

  it('cut flexible columns to fit, at the end that tells less', () => {
    const table = renderTable(COLUMNS, [{ name: `${'x'.repeat(100)}/end.bin`, size: '1 B' }], 20);
    assert.equal(table, 'SIZE  NAME\n 1 B  …xxxxx/end.bin\n');
    const ending = COLUMNS.map((column) => ({ ...column, ...(column.flexible && { flexible: { minWidth: 8 } }) }));
    assert.match(renderTable(ending, [{ name: 'x'.repeat(100), size: '' }], 20), /x…\n$/);
  });

  it('let nothing through that could steer a terminal', () => {
    const table = renderTable(COLUMNS, [{ name: 'a\u001b[2Jb\nc\u0007\u202e', size: '\t' }], 80);
    assert.equal(table, 'SIZE  NAME\n   ?  a?[2Jb?c??\n');
  });
});
