import type { Command } from 'commander';

/** What a manual says beside the flags, in plain text. */
export interface ManualText {
  section: 1 | 8;
  /** One line, without the name. */
  summary: string;
  synopsis: readonly string[];
  /** Paragraphs. */
  description: readonly string[];
  /** Further sections in their order: terms, each with its text, and paragraphs below them. */
  sections: readonly {
    title: string;
    items?: readonly (readonly [string, string])[];
    paragraphs?: readonly string[];
  }[];
  seeAlso: readonly string[];
}

/** Of the pages' head line; changed by hand when their text changes much. */
const MANUAL_DATE = '2026-11-21';

/** A manual page in man(7) macros: name, synopsis, description, every flag that --help shows, and the sections. */
export function renderManual(program: Command, text: ManualText): string {
  const name = program.name();
  const lines = [
    `.\\" Made by npm run docs from the table of flags; do not edit.`,
    `.TH ${name.toUpperCase()} ${text.section} ${MANUAL_DATE} dfpeer`,
    '.SH NAME',
    `${name} \\- ${roff(text.summary)}`,
    '.SH SYNOPSIS',
    ...text.synopsis.flatMap((each, index) => [...(index === 0 ? [] : ['.br']), `.B ${roff(each)}`]),
    '.SH DESCRIPTION',
    ...paragraphs(text.description),
    '.SH OPTIONS',
    ...options(program),
    ...commands(program),
    ...text.sections.flatMap(({ title, items = [], paragraphs: own = [] }) => [
      `.SH ${title.toUpperCase()}`,
      ...items.flatMap(([term, meaning]) => item(term, meaning)),
      ...(own.length === 0 ? [] : ['.PP', ...paragraphs(own)]),
    ]),
    '.SH SEE ALSO',
    roff(text.seeAlso.join(', ')),
  ];
  return `${lines.join('\n')}\n`;
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((each, index) => [...(index === 0 ? [] : ['.PP']), roff(each)]);
}

function options(command: Command): string[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap((option) => item(option.flags, option.description));
}

function commands(program: Command): string[] {
  const visible = program
    .createHelp()
    .visibleCommands(program)
    .filter((each) => each.name() !== 'help');
  if (visible.length === 0) return [];
  return [
    '.SH COMMANDS',
    ...visible.flatMap((each) => [
      `.SS ${roff(`${program.name()} ${each.name()}`)}`,
      roff(each.description()),
      ...options(each),
    ]),
  ];
}

function item(term: string, meaning: string): string[] {
  return ['.TP', `.B ${roff(term)}`, roff(meaning)];
}

/** Plain text for roff: no character of it is a request, an escape, or a hyphen that might be broken. */
function roff(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(cq')
    .replaceAll('…', '\\&...')
    .replaceAll('"', '\\(dq');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
