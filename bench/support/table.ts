import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';

/** A Markdown table, columns aligned. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(header), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n');
}

/** bench/results/NAME.json, with what the figures depend on. */
export function writeResults(name: string, results: object): void {
  const directory = join(import.meta.dirname, '..', '..', '..', 'bench', 'results');
  mkdirSync(directory, { recursive: true });
  const machine = { node: process.version, kernel: release(), cpus: cpus().length, model: cpus()[0]?.model };
  writeFileSync(
    join(directory, `${name}.json`),
    `${JSON.stringify({ date: new Date().toISOString(), machine, ...results }, null, 2)}\n`,
  );
}
