import { Lexer, LineCounter, Parser } from 'yaml';

/** Mappings, lists and what is in them, within each other; a configuration has five. */
export const MAX_YAML_DEPTH = 64;

/**
 * Where a text nests deeper than {@link MAX_YAML_DEPTH}; undefined: nowhere. The library itself goes as deep as the stack, and a stack that is
 * used up in the wrong place ends the process.
 */
export function findTooDeep(text: string): { line: number; column: number } | undefined {
  const lines = new LineCounter();
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  for (const lexeme of new Lexer().lex(text)) {
    // What it makes of the text is of no interest here, only what it has open.
    Array.from(parser.next(lexeme));
    const [, ...open] = parser.stack;
    if (open.length <= MAX_YAML_DEPTH) continue;
    const { line, col: column } = lines.linePos(parser.offset);
    return { line, column };
  }
  return undefined;
}
