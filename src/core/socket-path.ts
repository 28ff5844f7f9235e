/** Bytes of a unix socket's path: `sun_path` has 108, the last one is 0 (unix(7)). */
export const MAX_SOCKET_PATH_BYTES = 107;
