import { printable } from '../core/printable.js';

export interface Column<Row> {
  title: string;
  /** Numbers stand at the right. */
  align?: 'right';
  /** Gives way first when a line gets too long; cut at the start, where `keepEnd` says so. */
  flexible?: { minWidth: number; keepEnd?: boolean };
  cell(row: Row): string;
}

const GAP = '  ';

/** Lines of at most `width` columns as far as the flexible columns allow; plain text, without trailing blanks. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  shrink(columns, widths, width);
  const lines = [columns.map(({ title }) => title), ...cells];
  return lines.map((line) => `${renderLine(columns, widths, line).trimEnd()}\n`).join('');
}

function shrink<Row>(columns: readonly Column<Row>[], widths: number[], width: number): void {
  const total = (): number => widths.reduce((sum, each) => sum + each, (columns.length - 1) * GAP.length);
  columns.forEach(({ flexible, title }, index) => {
    const excess = total() - width;
    if (flexible === undefined || excess <= 0) return;
    const current = widths[index] ?? 0;
    widths[index] = Math.max(flexible.minWidth, title.length, current - excess);
  });
}

function renderLine<Row>(columns: readonly Column<Row>[], widths: readonly number[], line: readonly string[]): string {
  return columns
    .map(({ align, flexible }, index) => {
      const width = widths[index] ?? 0;
      const text = cut(line[index] ?? '', width, flexible?.keepEnd === true);
      return align === 'right' ? text.padStart(width) : text.padEnd(width);
    })
    .join(GAP);
}

function cut(text: string, width: number, keepEnd: boolean): string {
  if (text.length <= width) return text;
  return keepEnd ? `…${text.slice(text.length - width + 1)}` : `${text.slice(0, width - 1)}…`;
}
