import { createHash } from 'node:crypto';
import { opaqueTag } from '../../core/entity-tag.js';

/**
 * What tells two states of an origin's content apart, short enough for a header: 32 hex digits of a digest of the strong part of its ETag, or
 * of Last-Modified. Undefined when the origin gave neither.
 */
export function contentVersionOf({
  etag,
  lastModified,
}: {
  etag: string | undefined;
  lastModified: string | undefined;
}): string | undefined {
  const validator = opaqueTag(etag) ?? lastModified;
  return validator === undefined
    ? undefined
    : createHash('sha256').update(validator).digest('hex').slice(0, CONTENT_VERSION_LENGTH);
}

export const CONTENT_VERSION_LENGTH = 32;
