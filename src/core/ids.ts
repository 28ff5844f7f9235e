import { randomUUID } from 'node:crypto';

const SEED_SUFFIX = '-seed';

/** `<ip>-<hostname>`, seeds with `-seed` (docs/WIRE.md 5.4). */
export function makeHostId(ip: string, hostname: string, isSeed: boolean): string {
  return `${ip}-${hostname}${isSeed ? SEED_SUFFIX : ''}`;
}

/** A fresh id for one download: a scheduler refuses to register the same one twice. */
export function makePeerId(ip: string, hostname: string, isSeed: boolean, uuid: () => string = randomUUID): string {
  return `${ip}-${hostname}-${uuid()}${isSeed ? SEED_SUFFIX : ''}`;
}
