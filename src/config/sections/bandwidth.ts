/** Dragonfly's default for uploads, downloads and origins, a second: beyond the links there are, so in effect none. */
export const DEFAULT_BANDWIDTH_LIMIT = '50GB';
