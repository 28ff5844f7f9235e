import type { DownloadFacts } from '../download/download-story.js';

/** Of the trailer that tells a download's story; HTTP/2 clients take 16 KiB of metadata at least. */
export const MAX_STORY_LENGTH = 8 * 1024;

/** As a metadata value. What does not fit is left out: the parents that gave least. */
export function encodeStory({ carried = [], ...facts }: DownloadFacts): string {
  const encode = (told: number): string =>
    encodeURIComponent(JSON.stringify({ ...facts, carried: carried.slice(0, told) }));
  let told = carried.length;
  while (told > 0 && encode(told).length > MAX_STORY_LENGTH) told--;
  return encode(told);
}
