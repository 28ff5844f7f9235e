/** A cache may weaken a tag on the way; the opaque part still tells versions apart (RFC 9110, 8.8.3.2). */
export function opaqueTag(etag: string): string;
export function opaqueTag(etag: string | undefined): string | undefined;
export function opaqueTag(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, '');
}

/** Both are there, and promise the same bytes (RFC 9110, 8.8.3.2: strong comparison). */
export function isSameStrongTag(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && one === other && !one.startsWith('W/');
}
