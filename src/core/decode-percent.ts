/** `%41` → `A`; a text that is not encoded properly stays as it is: a stray `%` is allowed in names and passwords. */
export function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
