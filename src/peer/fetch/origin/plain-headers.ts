import { isPrivateHeader } from '../../../core/private-header.js';

/** What of an origin's answer may be kept, passed on and told: one value a name, and nothing that is for nobody but whom the origin gave it. */
export function plainHeaders(
  headers: Iterable<readonly [string, string | string[] | undefined]>,
): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of headers)
    if (value !== undefined && !isPrivateHeader(name)) plain[name] = Array.isArray(value) ? value.join(', ') : value;
  return plain;
}
