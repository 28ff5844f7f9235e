/** HTTP header by which a parent tells how the bytes leave it; ours, not part of Dragonfly. */
export const ROUTE_HEADER = 'Dfpeer-Route';

/** A parent's route and the reason for it, as it told them. */
export interface ToldRoute {
  route: string;
  reason: string;
}

const TOLD_ROUTE = /^([a-z][a-z-]{0,31}); reason=([a-z][a-z-]{0,31})$/;

/** `sendfile; reason=unthrottled`: an item with a parameter (RFC 9651). */
export function formatToldRoute({ route, reason }: ToldRoute): string {
  return `${route}; reason=${reason}`;
}

/** Undefined for what it can't be: nothing depends on it. */
export function parseToldRoute(text: string | undefined): ToldRoute | undefined {
  const [, route, reason] = TOLD_ROUTE.exec(text ?? '') ?? [];
  return route === undefined || reason === undefined ? undefined : { route, reason };
}
