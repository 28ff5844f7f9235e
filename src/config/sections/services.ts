import { ipAddress, logLevels, port } from '../key-kinds.js';
import { ignored, section } from '../key-spec.js';

/** Read-only, and names neither URLs nor secrets: listens where Dragonfly's client does, so that scrapers and probes find it. */
function openServer(what: string, defaultPort: number) {
  return section({
    server: section({
      ip: ipAddress({
        meaning: `Address that ${what} listens on.`,
        otherwise: '0.0.0.0; 127.0.0.1 when dfget started it',
      }),
      port: port({ meaning: `Port of ${what}.`, default: defaultPort }),
    }),
  });
}

export const metrics = openServer('/metrics (Prometheus)', 4002);
export const health = openServer('/healthy', 4003);

export const log = section({
  levels: logLevels({
    meaning: 'Levels of single modules, such as `upload: debug`; the others log at `--log-level`.',
    otherwise: 'none',
    reload: true,
  }),
});

export const stats = ignored('profiles are taken with the tools of Node.js');
export const proxy = ignored('dfpeer has no proxy');
export const security = ignored('certificates are configured where they are used');
export const status = ignored('there is no status page yet');
export const tracing = ignored('dfpeer sends no traces');
