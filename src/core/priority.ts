/** Dragonfly's lowest number is its highest priority; schedulers treat 6 as "no special treatment". */
export const DEFAULT_PRIORITY = 6;
