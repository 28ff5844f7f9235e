const MAX_QUOTED_CHARACTERS = 200;

/** A stranger's words as part of our messages: one short line, nothing that steers a terminal. */
export function printable(text: string): string {
  const line = text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]+/gu, ' ').trim();
  return line.slice(0, MAX_QUOTED_CHARACTERS);
}
