import { choice, flag, headers, hostPortText, ipAddress, logLevels, path, port } from '../key-kinds.js';
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

/** It names URLs, so it is for this machine unless configured otherwise. */
export const statusPage = section({
  enable: flag({ meaning: 'Serve the status page.', default: true }),
  ip: ipAddress({
    meaning: 'Address that the status page listens on. It is read-only, and names the URLs of tasks.',
    default: '127.0.0.1',
  }),
  port: port({
    meaning: 'Port of the status page.',
    otherwise: '4008; without a status page, and with a warning, when that is taken',
  }),
});

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
export const status = ignored('the status page has keys of its own: `statusPage`');
export const tracing = section(
  {
    protocol: choice(['http', 'https', 'grpc'], {
      meaning: 'How traces are sent: OTLP in JSON over http or https; grpc is taken, with a warning, and sends none.',
      otherwise: 'none: no traces',
    }),
    endpoint: hostPortText({ meaning: 'The OpenTelemetry collector, such as `127.0.0.1:4318`.', otherwise: 'none' }),
    path: path({ meaning: "Path of the collector's trace service.", default: '/v1/traces' }),
    headers: headers({ meaning: 'Headers sent to the collector.', otherwise: 'none' }),
  },
  ({ protocol, endpoint }) => {
    if (protocol === undefined) return undefined;
    if (endpoint === undefined) return 'tracing.protocol is set, but tracing.endpoint says no host:port of a collector';
    const scheme = /^https?(?=:\/\/)/i.exec(endpoint)?.[0].toLowerCase() ?? protocol;
    return scheme === protocol || protocol === 'grpc'
      ? undefined
      : `tracing.endpoint begins with ${scheme}://, but tracing.protocol is ${protocol}; write host:port only`;
  },
);
