/** What --help says below the flags. */
export const DFGET_HELP_END = `
Exit status: 0 done, 1 a bug, 2 usage, 3 origin, 4 network, 5 disk, 6 digest,
129 hung up, 130 interrupted, 143 terminated; with -i the highest of all.
Interrupted downloads go on where they were when asked for again, if the
origin's ETag or Last-Modified is still the same.`;
