const PRIVATE_HEADERS: ReadonlySet<string> = new Set(['set-cookie', 'set-cookie2']);

/** Whether a header of an origin's answer is for nobody but the one whom the origin gave it: it may be a session. */
export function isPrivateHeader(name: string): boolean {
  return PRIVATE_HEADERS.has(name.toLowerCase());
}
