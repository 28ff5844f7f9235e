import { count, duration, flag, hostPortText, hostPorts, ipAddress, path, port } from '../key-kinds.js';
import { ignored, section } from '../key-spec.js';

function tls(who: string) {
  return {
    caCert: path({ meaning: `Authorities that sign the certificate of the ${who} (PEM).`, otherwise: 'plain text' }),
    cert: path({ meaning: `Certificate chain shown to the ${who} (PEM).`, otherwise: 'none' }),
    key: path({ meaning: `Key of the certificate shown to the ${who} (PEM).`, otherwise: 'none' }),
  } as const;
}

export const manager = section({
  addr: hostPortText({
    meaning: 'Manager that tells which schedulers there are, `http://host:65003` or `host:65003`.',
    otherwise: 'none',
  }),
  ...tls('manager'),
});

export const scheduler = section({
  addrs: hostPorts({
    meaning: 'Schedulers to join. A name stands for all its addresses. Wins over a manager and a dynconfig file.',
    otherwise: 'none',
  }),
  announceInterval: duration({ meaning: 'Time between two announcements of this host.', default: '300s' }),
  scheduleTimeout: duration({
    meaning: 'Wait for the scheduler when a download asks for other parents.',
    default: '3h',
    whenReached: 'the rest comes from the origin',
  }),
  maxScheduleCount: count(
    {
      meaning: 'Times that one download asks the scheduler for other parents.',
      default: 5,
      whenReached: 'the rest comes from the origin',
    },
    { min: 1, max: 1000, unit: 'times' },
  ),
  ...tls('scheduler'),
  embedded: section({
    enable: flag({
      meaning: 'Run a scheduler in this process.',
      otherwise: 'true when no scheduler, manager or dynconfig file is configured',
    }),
    ip: ipAddress({ meaning: 'Address that the embedded scheduler listens on.', otherwise: '0.0.0.0' }),
    port: port({ meaning: 'Port of the embedded scheduler.', default: 8002 }),
  }),
});

export const seedPeer = section({
  enable: flag({ meaning: 'Be a seed: the scheduler triggers downloads from origins here first.', default: false }),
  type: ignored('schedulers treat all kinds of seeds alike; every seed announces itself as the usual kind'),
});

export const dynconfig = section({
  refreshInterval: duration({
    meaning: 'How often the manager is asked, or the dynconfig file read, for the schedulers.',
    default: '60s',
  }),
});
