/** Controls, line breaks, what turns the direction of writing, halves of characters: everything that can steer a terminal. */
const STEERING = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;
const INDENT = '  ';
const MAX_QUOTED_CHARACTERS = 200;

/** One line for a terminal, as wide as before: what strangers wrote (URLs, names, reasons) moves no cursor in it. */
export function printable(text: string): string {
  return text.replace(STEERING, '?');
}

/** As {@link printable} for a text of several lines. Those after the first are indented: none can pass for a message of its own. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join(`\n${INDENT}`);
}

/** A stranger's words as part of our messages: one short line. */
export function quotable(text: string): string {
  const line = text.replace(STEERING, ' ').replace(/ {2,}/g, ' ').trim();
  return line.slice(0, MAX_QUOTED_CHARACTERS);
}

/** A JSON document that may end up on a terminal: JSON itself escapes only what is below U+0020. */
export function printableJson(value: unknown, indent?: number): string {
  const escape = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, undefined, indent).replace(/[\u007f-\u009f]/g, escape);
}

/** Every text in a value that came from JSON, names too: lines only where a stack has them. */
export function printableFields(json: string): object {
  const clean = (name: string, value: unknown): unknown => {
    if (typeof value === 'string') return name === 'stack' ? printableLines(value) : printable(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [printable(key), each as unknown]));
  };
  return JSON.parse(json, clean) as object;
}
