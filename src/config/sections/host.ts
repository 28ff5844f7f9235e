import { flag, count, hostname, ipAddress, text } from '../key-kinds.js';
import { ignored, section } from '../key-spec.js';

export const host = section({
  hostname: hostname({
    meaning:
      'Name of this node in the cluster; with its address it is the host id. Two daemons at one address need a name each.',
    otherwise: "the machine's host name",
  }),
  ip: ipAddress({
    meaning: 'Address that other peers and the scheduler dial.',
    otherwise: 'the first address of a network interface that is not loopback, else 127.0.0.1',
  }),
  idc: text({ meaning: 'Data centre, for the scheduler to prefer near parents.', otherwise: 'none' }),
  location: text({
    meaning: 'Up to five levels, `a|b|c`, for the scheduler to prefer near parents.',
    otherwise: 'none',
  }),
  schedulerClusterID: count(
    { meaning: 'Scheduler cluster to join, asked of the manager; 0 lets the manager choose.', default: 0 },
    { min: 0, max: Number.MAX_SAFE_INTEGER },
  ),
});

export const server = section({
  pluginDir: ignored('dfpeer has no plugins'),
  cacheDir: ignored('dfpeer keeps no cache besides its store'),
  adaptiveRateLimit: ignored('dfpeer refuses by fixed limits, listed in LIMITS.md'),
});

export const network = section({
  enableIPv6: flag({
    meaning: 'Listen on `::` instead of 0.0.0.0 where no address is configured, and prefer an IPv6 `host.ip`.',
    default: false,
  }),
});
