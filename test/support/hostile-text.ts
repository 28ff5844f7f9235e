import fc from 'fast-check';

/** Texts as a stranger might choose them: with escape sequences, controls of both kinds, line breaks, and anything else. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.integer({ min: 0, max: 0x9f }).map((code) => String.fromCharCode(code)),
      fc.constantFrom('\u001b[2J', '\u001b]0;title\u0007', '\u009b31m', '\r\n', '\u202e', '\u2028', '\ud800'),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

/** Whether a terminal would do something else with it than show it; line feeds apart. */
export function steersTerminal(text: string): boolean {
  return Array.from(text).some((char) => {
    const code = char.codePointAt(0) ?? 0;
    return (code < 0x20 && char !== '\n') || (code >= 0x7f && code <= 0x9f);
  });
}
